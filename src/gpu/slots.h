// Things behind small numbers. A number carries the generation of its slot, so one that was removed is not found, also
// after its slot is in use again.
//
//   Slots<Thing> things;
//   uint32_t id = things.add(Thing{…});  // never 0
//   Thing* thing = things.find(id);      // nullptr: removed or never given
//   things.remove(id);
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace weft {

template <class T>
class Slots {
 public:
  uint32_t add(T value) {
    if (free_.empty()) {
      slots_.push_back({});
      free_.reserve(slots_.size());  // removing allocates nothing
      free_.push_back(static_cast<uint32_t>(slots_.size() - 1));
    }
    uint32_t index = free_.back();
    free_.pop_back();
    slots_[index].value = std::move(value);
    return slots_[index].generation << kIndexBits | (index + 1);
  }
  T* find(uint32_t id) {
    uint32_t index = (id & kIndexMask) - 1;
    if (index >= slots_.size() || slots_[index].generation != id >> kIndexBits) return nullptr;
    return &slots_[index].value;
  }
  void remove(uint32_t id) {
    if (!find(id)) return;
    uint32_t index = (id & kIndexMask) - 1;
    slots_[index].value = T{};
    slots_[index].generation = (slots_[index].generation + 1) & (~0u >> kIndexBits);
    free_.push_back(index);
  }
  template <class F>
  void for_each(F&& f) {  // free slots too, as T{}
    for (Slot& slot : slots_) f(slot.value);
  }

 private:
  static constexpr uint32_t kIndexBits = 20, kIndexMask = (1u << kIndexBits) - 1;
  struct Slot {
    T value{};
    uint32_t generation = 0;
  };
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace weft
