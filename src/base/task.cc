#include "base/task.h"

#include <new>

namespace weft::task_detail {
namespace {

// Under the address sanitizer every frame is memory of its own, so that a use after its end is found.
#if __has_feature(address_sanitizer)
constexpr size_t kLargestKept = 0;
#else
constexpr size_t kLargestKept = 4096;
#endif
constexpr size_t kStep = 64;
size_t class_of(size_t bytes) { return (bytes + kStep - 1) / kStep; }

class Frames {
 public:
  ~Frames() {
    closed_ = true;  // what ends later, with static objects, is freed at once
    for (Free*& first : free_) {
      while (first) ::operator delete(std::exchange(first, first->next));
    }
  }
  void* take(size_t size_class) {
    Free*& first = free_[size_class];
    if (!first) return ::operator new(size_class * kStep);
    return std::exchange(first, first->next);
  }
  void give(void* frame, size_t size_class) {
    if (closed_) return ::operator delete(frame);
    free_[size_class] = new (frame) Free{free_[size_class]};
  }

 private:
  struct Free {
    Free* next;
  };
  Free* free_[kLargestKept / kStep + 1] = {};
  bool closed_ = false;
};
#if defined(__wasm__)
Frames frames;  // tasks belong to the main thread there
#else
thread_local Frames frames;
#endif

}  // namespace

void* take_frame(size_t bytes) { return bytes > kLargestKept ? ::operator new(bytes) : frames.take(class_of(bytes)); }

void give_frame(void* frame, size_t bytes) {
  if (bytes > kLargestKept) return ::operator delete(frame);
  frames.give(frame, class_of(bytes));
}

}  // namespace weft::task_detail
