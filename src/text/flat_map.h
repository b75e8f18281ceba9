// Hash tables of the tokenizers: open addressing, linear probing, at most half full, built once and then only read.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace weft {

inline uint64_t mix_bits(uint64_t x) {
  x *= 0x9E3779B97F4A7C15u;
  x ^= x >> 32;
  x *= 0xD6E8FEB86659FD93u;
  return x ^ x >> 32;
}

inline uint64_t hash_bytes(std::string_view bytes) {
  uint64_t hash = bytes.size() * 0xA0761D6478BD642Fu;
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= 8; p += 8, left -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    hash = mix_bits(hash ^ word);
  }
  uint64_t word = 0;
  if (left >= 4) {
    uint32_t low, high;  // the two overlap
    std::memcpy(&low, p, 4);
    std::memcpy(&high, p + left - 4, 4);
    word = uint64_t{high} << 32 | low;
  } else if (left > 0) {
    word = static_cast<uint8_t>(p[0]) | uint64_t{static_cast<uint8_t>(p[left / 2])} << 8 |
           uint64_t{static_cast<uint8_t>(p[left - 1])} << 16;
  }
  return mix_bits(hash ^ word);
}

// uint64_t key (never kEmpty) -> Value.
template <class Value>
class FlatMap {
 public:
  static constexpr uint64_t kEmpty = ~uint64_t{0};

  explicit FlatMap(size_t count = 0) { reserve(count); }
  void reserve(size_t count) {
    slots_.assign(std::bit_ceil(count * 2 + 2), {});
    mask_ = slots_.size() - 1;
  }
  const Value* find(uint64_t key) const {
    for (size_t i = mix_bits(key) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].key == key) return &slots_[i].value;
      if (slots_[i].key == kEmpty) return nullptr;
    }
  }
  // False if the key was there: then its value stays. At most the reserved count of keys, or call grow_for_one.
  bool insert(uint64_t key, Value value) {
    size_t i = mix_bits(key) & mask_;
    for (; slots_[i].key != kEmpty; i = (i + 1) & mask_)
      if (slots_[i].key == key) return false;
    slots_[i] = {key, value};
    ++size_;
    return true;
  }
  void grow_for_one() {
    if ((size_ + 1) * 2 <= slots_.size()) return;
    std::vector<Slot> old;
    old.swap(slots_);
    size_ = 0;
    slots_.assign(old.size() * 2, {});
    mask_ = slots_.size() - 1;
    for (const Slot& slot : old)
      if (slot.key != kEmpty) insert(slot.key, slot.value);
  }

 private:
  struct Slot {
    uint64_t key = kEmpty;
    Value value{};
  };
  std::vector<Slot> slots_;
  size_t mask_ = 0;
  size_t size_ = 0;
};

}  // namespace weft
