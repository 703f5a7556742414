/* tables.c - every table of the contract in one library, for abidw and abidiff to look at. */
#include <regimen/abi.h>

#define SHOW(type)                      \
  extern const type* const show_##type; \
  const type* const show_##type = NULL
SHOW(rgm_plugin);
SHOW(rgm_host);
SHOW(rgm_backend);
SHOW(rgm_kernels);
SHOW(rgm_adapter);
SHOW(rgm_strategy);
SHOW(rgm_reward);
SHOW(rgm_collective);
