#include "ops/linear/rows16.h"

#include <cstring>
#include <type_traits>

#include "base/half.h"

namespace weft::rows16 {
namespace {

void put_scale(const uint8_t* half, uint8_t* out) {
  uint16_t bits;
  std::memcpy(&bits, half, 2);
  if constexpr (std::is_same_v<Scale, float>) {
    const float scale = f16_to_f32(bits);
    std::memcpy(out, &scale, sizeof scale);
  } else {
    std::memcpy(out, &bits, sizeof bits);
  }
}
float get_scale(const uint8_t* from) {
  Scale scale;
  std::memcpy(&scale, from, sizeof scale);
  if constexpr (std::is_same_v<Scale, float>)
    return scale;
  else
    return f16_to_f32(scale);
}

// kWords: 4-byte words of quants in a block of one row. Written in order, read from 16 rows at once: each row's stream
// is one that the processor prefetches.
template <int kWords, uint32_t kFlip>
void pack_words(int64_t blocks, int64_t rows, const uint8_t* in, uint8_t* out) {
  constexpr int64_t kFileBlock = 2 + 4 * kWords;
  const int64_t row_bytes = blocks * kFileBlock;
  for (int64_t group = 0; group < rows / kRows; ++group) {
    for (int64_t block = 0; block < blocks; ++block) {
      const uint8_t* from = in + group * kRows * row_bytes + block * kFileBlock;
      uint32_t words[kWords][kRows];
      for (int r = 0; r < kRows; ++r) {
        const uint8_t* source = from + r * row_bytes;
        put_scale(source, out + sizeof(Scale) * r);
        for (int j = 0; j < kWords; ++j) {
          uint32_t word;
          std::memcpy(&word, source + 2 + 4 * j, 4);
          words[j][r] = word ^ kFlip;
        }
      }
      std::memcpy(out + kScaleBytes, words, sizeof words);
      out += kScaleBytes + sizeof words;
    }
  }
}

}  // namespace

void pack(DType dtype, int64_t k, int64_t rows, const uint8_t* in, uint8_t* out) {
  if (dtype == DType::q8_0) {
    pack_words<8, kFlipQ8>(k / kColumns, rows, in, out);
  } else {
    pack_words<4, kFlipQ4>(k / kColumns, rows, in, out);
  }
}

void unpack_row(DType dtype, int64_t k, const uint8_t* weight, int64_t row, float* out) {
  const int64_t blocks = k / kColumns, bytes = block_bytes(dtype);
  const int r = static_cast<int>(row % kRows);
  const uint8_t* block = weight + row / kRows * blocks * bytes;
  for (int64_t b = 0; b < blocks; ++b, block += bytes, out += kColumns) {
    const float scale = get_scale(block + sizeof(Scale) * r);
    const uint8_t* quants = block + kScaleBytes + 4 * r;
    // The byte of column c as it is in the file.
    const auto byte = [&](int c, uint32_t flip) {
      return static_cast<uint8_t>(quants[c / 4 * 64 + c % 4] ^ flip >> c % 4 * 8);
    };
    if (dtype == DType::q8_0) {
      for (int c = 0; c < 32; ++c) out[c] = scale * static_cast<float>(static_cast<int8_t>(byte(c, kFlipQ8)));
    } else {
      for (int c = 0; c < 16; ++c) {
        const uint8_t two = byte(c, kFlipQ4);
        out[c] = scale * static_cast<float>((two & 15) - 8);
        out[c + 16] = scale * static_cast<float>((two >> 4) - 8);
      }
    }
  }
}

}  // namespace weft::rows16
