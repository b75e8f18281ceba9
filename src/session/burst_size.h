// How many tokens a device's loop samples between two looks of the host.
//
//   BurstSize burst(options.burst);
//   … burst.get() tokens, which took `seconds` …
//   burst.took(tokens, seconds);
#pragma once

#include <cstdint>

namespace weft {

// Tokens a burst. Short bursts let the host look too often (a read-back costs the GPU of a browser half a millisecond),
// long ones let the user wait for the text and for a cancel. From 8, doubled after a burst of less than 5 ms and halved
// after one of more than 50 ms; it stays with the model.
class BurstSize {
 public:
  static constexpr int64_t kMost = 64;
  explicit BurstSize(int64_t fixed = 0) : fixed_(fixed), size_(fixed ? fixed : 8) {}
  int64_t get() const { return size_; }
  void took(int64_t tokens, double seconds) {
    if (fixed_ || tokens != size_) return;  // the last ones of an answer are shorter
    if (seconds < 0.005 && size_ < kMost) size_ *= 2;
    if (seconds > 0.050 && size_ > 1) size_ /= 2;
  }

 private:
  int64_t fixed_, size_;
};

}  // namespace weft
