/* collective.h - how processes that run one pipeline together, each with a copy of the model, add up their gradients. */
#ifndef REGIMEN_ABI_COLLECTIVE_H
#define REGIMEN_ABI_COLLECTIVE_H
#include "options.h"

typedef struct rgm_group rgm_group; /* the processes, as one of them sees them */

enum {                        /* who starts the processes: one of the two */
  RGM_STARTED_BY_HOST = 1,    /* the host does, on one machine, and says to each its rank, their size and a place */
  RGM_STARTED_BY_LAUNCHER = 2 /* another program has, such as mpirun or srun, and the plug-in finds out the rest */
};

typedef struct rgm_join {
  uint32_t struct_size, reserved;
  uint32_t rank, size; /* of STARTED_BY_HOST; otherwise 0 and 0 */
  rgm_str place;       /* a name that the processes of one run have in common and no others have: letters, digits, "-" */
} rgm_join;

typedef struct rgm_group_info {
  uint32_t struct_size, reserved;
  uint32_t rank, size;           /* among all, from 0 */
  uint32_t rank_here, size_here; /* among those on this machine */
} rgm_group_info;

/* What one process of a group calls, all call, in the same order and with the same sizes. A call returns when everyone
 * has made it. It fails where a process has left, was aborted or is gone (crashed, killed), within a second or two of
 * that, and so do all later ones; the text says which process it was, if that is known. */
typedef struct rgm_collective {
  uint32_t struct_size, flags;
  int32_t score;     /* where the pipeline names none, the usable one that the host starts with the highest score */
  uint32_t reserved;
  /* Fails with the reason if it cannot be used on this machine; keeps no vendor library open. */
  rgm_status (*usable)(void);
  rgm_status (*join)(const rgm_config* config, const rgm_join* join, rgm_group** out); /* waits for all the others */
  rgm_status (*info)(rgm_group* group, rgm_group_info* out); /* fills no more than out->struct_size */
  /* Each value becomes its sum over all processes, added in order of rank from 0: everyone gets the same bits, in every
   * run. */
  rgm_status (*sum)(rgm_group* group, float* values, size_t count);
  /* The `bytes` bytes of each process, by rank, into all[0, size * bytes) */
  rgm_status (*gather)(rgm_group* group, const void* mine, size_t bytes, void* all);
  rgm_status (*wait)(rgm_group* group);
  /* [any] all who wait in this group, now or later, fail with this text; a launcher's may end the processes instead */
  void (*abort)(rgm_group* group, rgm_str text);
  void (*leave)(rgm_group* group); /* frees it; waits for nobody, unless the processes have to end together */
} rgm_collective;

RGM_ENDS_WITH(rgm_join, place);
RGM_ENDS_WITH(rgm_group_info, size_here);
RGM_ENDS_WITH(rgm_collective, leave);
#endif
