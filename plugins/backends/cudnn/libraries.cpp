// libraries.cpp - finding the vendor's libraries: where the loader looks, then where CUDA is usually installed.
#include "libraries.hpp"

#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <dlfcn.h>

#include <cstdlib>
#include <regimen/backend.hpp>

namespace regimen::cudnn {
namespace {

void* open_library(const std::string& name, const char* what) {
  if (void* found = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL)) return found;
  std::string tried = "the loader's path";
  const char* root = std::getenv("CUDA_PATH");
  for (const std::string& folder :
       {root ? std::string(root) + "/lib64" : std::string(), std::string("/usr/local/cuda/lib64")}) {
    if (folder.empty()) continue;
    std::string file = folder;
    file.append("/").append(name);
    if (void* found = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) return found;
    tried += ", " + folder;
  }
  unsupported(std::string(what) + " (" + name + ") was not found in " + tried +
              "; install it, or add its folder to LD_LIBRARY_PATH");
}

template <class F>
void take(void* library, F& function, const char* name) {
  function = reinterpret_cast<F>(dlsym(library, name));
  if (!function) unsupported(std::string("cuBLASLt lacks ") + name);
}

}  // namespace

void* open_cublas_lt() {
  static void* const library = open_library("libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR), "cuBLASLt");
  return library;
}
void* open_cudnn() {
  static void* const library = open_library("libcudnn.so." + std::to_string(CUDNN_MAJOR), "cuDNN 9");
  return library;
}

void* open_cuda_runtime() {
  static void* const library = [] {
    const std::string name = "libcudart.so." + std::to_string(CUDART_VERSION / 1000);
    void* const found = open_library(name, "the CUDA runtime");
    setenv("CUDNN_FRONTEND_CUDART_LIB_NAME", name.c_str(), 0);  // it would take another version's where both are
    return found;
  }();
  return library;
}

Lt load_cublas_lt() {
  Lt lt;
  void* const library = open_cublas_lt();
  take(library, lt.create, "cublasLtCreate");
  take(library, lt.destroy, "cublasLtDestroy");
  take(library, lt.matmul, "cublasLtMatmul");
  take(library, lt.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  take(library, lt.desc_create, "cublasLtMatmulDescCreate");
  take(library, lt.desc_destroy, "cublasLtMatmulDescDestroy");
  take(library, lt.desc_set, "cublasLtMatmulDescSetAttribute");
  take(library, lt.layout_create, "cublasLtMatrixLayoutCreate");
  take(library, lt.layout_destroy, "cublasLtMatrixLayoutDestroy");
  take(library, lt.layout_set, "cublasLtMatrixLayoutSetAttribute");
  take(library, lt.preference_create, "cublasLtMatmulPreferenceCreate");
  take(library, lt.preference_destroy, "cublasLtMatmulPreferenceDestroy");
  take(library, lt.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  return lt;
}

const Driver* load_driver() {
  static const Driver driver = [] {
    Driver d;
    void* const library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) return d;
    const auto find = [library](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    };
    find(d.granularity, "cuMemGetAllocationGranularity");
    find(d.reserve, "cuMemAddressReserve");
    find(d.free, "cuMemAddressFree");
    find(d.create, "cuMemCreate");
    find(d.release, "cuMemRelease");
    find(d.map, "cuMemMap");
    find(d.unmap, "cuMemUnmap");
    find(d.set_access, "cuMemSetAccess");
    return d;
  }();
  const bool all = driver.granularity && driver.reserve && driver.free && driver.create && driver.release &&
                   driver.map && driver.unmap && driver.set_access;
  return all ? &driver : nullptr;
}

void check_cublas(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_ALLOC_FAILED ? RGM_NO_MEMORY : RGM_INTERNAL,
              std::string(what) + ": cuBLASLt failed with status " + std::to_string(static_cast<int>(status)));
}

}  // namespace regimen::cudnn
