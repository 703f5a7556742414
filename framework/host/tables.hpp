// tables.hpp - the three tables behind rgm_host, and what they share.
#pragma once
#include <regimen/abi/host.h>

#include <cstddef>
#include <vector>

#include "text/tokenizer.hpp"

namespace rgm {

const rgm_tensor_api* tensor_table();
const rgm_model_api* model_table();
const rgm_train_api* train_table();

// The larger operations by name: rgm_tensor_api.call.
rgm_status call_by_name(const char* op, rgm_tensor* const* in, uint32_t n_in, const rgm_attr* attrs, uint32_t n_attrs,
                        rgm_tensor** out, uint32_t n_out);

// The tokenizer as plug-ins hold it: the same handle each time, valid until the program ends.
rgm_tokenizer* tokenizer_handle(const TokenizerPtr& tokenizer);

// Host memory with any strides, from and to row-major bytes.
std::vector<std::byte> gather_bytes(const rgm_view& from);
void scatter_bytes(const std::vector<std::byte>& bytes, const rgm_view& to);

}  // namespace rgm
