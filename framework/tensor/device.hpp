// device.hpp - one opened device of a backend: its kernels, its queue, and blocks of memory. Freed ones serve again, so
// that a step that was run once allocates nothing the next time: small ones, and all of a backend that does not see to
// that itself, are kept here.
#pragma once
#include <regimen/abi/backend.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace rgm {

class Device {
 public:
  // Opens device `index`. `config` is borrowed and outlives the device; NULL where the backend has no options.
  Device(const rgm_backend& backend, uint32_t index, const rgm_config* config, std::string id);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  const std::string& id() const { return id_; }      // of the backend, as in the pipeline
  const std::string& name() const { return name_; }  // backend "onednn", for messages
  const rgm_device_info& info() const { return info_; }
  const rgm_kernels& kernels() const { return kernels_; }
  const rgm_kernels& own_kernels() const { return own_kernels_; }  // of the backend, behind all others
  void set_kernels(const rgm_kernels& kernels) { kernels_ = kernels, ++kernels_set_; }  // to stand before its own
  uint64_t kernels_set() const { return kernels_set_; }                                 // so often
  // Until then work may be captured, where the backend has that. False once it refused, or while kernels are timed.
  void set_may_capture(bool may) { may_capture_ = may; }
  bool may_capture() const { return may_capture_; }
  rgm_queue* queue() const { return queue_; }
  const rgm_backend& backend() const { return backend_; }
  rgm_device* handle() const { return device_; }
  bool keeps_freed() const;  // the backend does, to hand it out again
  uint64_t held() const;     // by such a backend, in use or idle, bytes; 0 of another

  struct Block {
    void* data = nullptr;
    size_t size = 0;
  };
  // [any] A block of at least `bytes`, aligned to 256. Throws RGM_NO_MEMORY with what was asked and what is held.
  Block allocate(size_t bytes);
  void release(const Block& block);
  void trim();  // [any] gives blocks back that lie idle
  // Asked on this thread before memory is refused to it; true: something was given back. NULL: nobody is asked.
  void when_short(std::function<bool()> give_back);
  // Until it is called with NULL: what this thread releases goes there, and what it needs is taken from there first. No
  // other has that memory then.
  void set_aside(std::vector<Block>* aside);
  // [any] Where 0, 1, ... n - 1 (int32) lie, for as long as the device is open. Uploaded once.
  void* counting(int64_t n);
  void upload(void* to, const void* from, size_t bytes);
  void download(void* to, const void* from, size_t bytes);
  void wait();
  void check(rgm_status status);  // as check_status, of the backend, whose own failures name it

  size_t bytes_in_use() const { return in_use_; }
  size_t peak_bytes() const { return peak_; }
  size_t bytes_when_refused() const { return refused_; }  // in use when memory ran out last
  uint64_t allocations() const { return allocations_; }   // blocks that took new memory, since the start
  void reset_peak() { peak_ = in_use_; }

 private:
  // From here on blocks are the backend's, where it keeps freed ones.
  static constexpr size_t kBackends = size_t{64} << 10;
  // These with the mutex held.
  void* block_of_backend(size_t size, size_t wanted);
  bool is_backends(size_t size) const { return size >= kBackends && keeps_freed(); }
  Block take(std::map<size_t, std::vector<void*>>::iterator at);
  Block idle_block(size_t least, size_t most);  // the smallest that does; none: NULL
  bool give_back_near(size_t size);
  void give_back_idle();
  void free(void* data);
  void close();
  void take_kernels();
  std::string use() const;  // "4 MB are in use, beside 2 MB of scratch"

  const rgm_backend& backend_;
  std::string id_, name_;
  rgm_device* device_ = nullptr;
  rgm_queue* queue_ = nullptr;
  rgm_kernels kernels_{}, own_kernels_{};
  rgm_device_info info_{};
  bool may_capture_ = true;

  Block from_aside(size_t bytes);
  Block allocate_at_once(size_t bytes);
  bool asked_to_give_back();

  std::mutex counting_mutex_;
  int64_t counted_ = 0;
  std::vector<Block> counting_;  // the last has all; those before it may still be read

  std::mutex mutex_;
  std::vector<Block>* aside_ = nullptr;
  std::thread::id who_sets_aside_, who_gives_back_;
  std::function<bool()> give_back_;
  std::map<size_t, std::vector<void*>> idle_;  // by size; the last one given back is the first to be used again
  size_t in_use_ = 0, peak_ = 0, refused_ = 0;
  uint64_t allocations_ = 0, held_ = 0, kernels_set_ = 0;
};

// The device that new tensors are made on. Set once for a run, before the first tensor.
Device& current_device();
bool has_current_device();
const std::shared_ptr<Device>& share_current_device();
std::shared_ptr<Device> set_current_device(std::shared_ptr<Device> device);  // answers the one before

// Turns a status of a backend or plug-in into an exception with the text that it left.
void check_status(rgm_status status);
// The per-thread text of the last failure, behind host->fail and host->last_error.
rgm_status keep_failure(rgm_status code, std::string_view text);
std::string_view last_failure();

}  // namespace rgm
