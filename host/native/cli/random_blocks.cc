// Random numbers made directly in a number format: quants are random bits, scales are set so that the values have the
// wanted deviation. About as fast as memory, where quantising random floats takes minutes for a large model.
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/half.h"
#include "synth_shapes.h"

namespace weft::cli {
namespace {

// splitmix64 (Steele, Lea, Flood 2014) as a counter: any place in the stream can be computed on its own.
uint64_t random_word(uint64_t counter) {
  uint64_t z = counter * 0x9E3779B97F4A7C15;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
  z = (z ^ z >> 27) * 0x94D049BB133111EB;
  return z ^ z >> 31;
}

void put_f16(std::byte* at, double value) {
  const uint16_t half = f32_to_f16(static_cast<float>(value));
  std::memcpy(at, &half, 2);
}

void put(std::byte* at, int value, size_t count) { std::memset(at, value, count); }

// Deviation of a random sign and mantissa under one exponent (magnitudes uniform in [1, 2)), times 2^exponent.
constexpr double kScalarDeviation = 1.5275;

// Sets what is not random in one block of random bits. Deviations are those of uniform integers: sqrt((n^2 - 1) / 12).
void shape_block(DType type, double sigma, std::byte* b) {
  switch (type) {
    case DType::q8_0:
      put_f16(b, sigma / 73.9);
      for (int i = 2; i < 34; ++i) b[i] |= std::byte{1};  // never -128, which no quantiser writes
      break;
    case DType::q4_0:
      put_f16(b, sigma / 4.61);
      break;
    case DType::q4_1:
      put_f16(b, sigma / 4.61), put_f16(b + 2, -7.5 * sigma / 4.61);
      break;
    case DType::q5_0:
      put_f16(b, sigma / 9.23);
      break;
    case DType::q5_1:
      put_f16(b, sigma / 9.23), put_f16(b + 2, -15.5 * sigma / 9.23);
      break;
    case DType::q2_k:  // scales 8, minimums 8
      put(b, 0x88, 16), put_f16(b + 80, sigma / (8 * 1.118)), put_f16(b + 82, 1.5 * sigma / (8 * 1.118));
      break;
    case DType::q3_k:  // scales 48 - 32
      put(b + 96, 0x00, 8), put(b + 104, 0xFF, 4), put_f16(b + 108, sigma / (16 * 2.29));
      break;
    case DType::q4_k:  // scales 32, minimums 32, packed in 6 bits
      put_f16(b, sigma / (32 * 4.61)), put_f16(b + 2, 7.5 * sigma / (32 * 4.61)), put(b + 4, 0xA0, 8),
          put(b + 12, 0, 4);
      break;
    case DType::q5_k:
      put_f16(b, sigma / (32 * 9.23)), put_f16(b + 2, 15.5 * sigma / (32 * 9.23)), put(b + 4, 0xA0, 8),
          put(b + 12, 0, 4);
      break;
    case DType::q6_k:
      put(b + 192, 32, 16), put_f16(b + 208, sigma / (32 * 18.5));
      break;
    default:
      CHECK(!"a type that synth_type_names offers");
  }
}

}  // namespace

void random_blocks(DType type, double sigma, uint64_t seed, std::byte* out, int64_t count) {
  const int64_t bytes = count * info(type).bytes;
  // Streams of different seeds start far apart.
  const uint64_t start = random_word(seed);
  for (int64_t i = 0; i + 8 <= bytes; i += 8) {
    const uint64_t word = random_word(start + static_cast<uint64_t>(i));
    std::memcpy(out + i, &word, 8);
  }
  if (bytes % 8) {
    const uint64_t word = random_word(start + static_cast<uint64_t>(bytes));
    std::memcpy(out + bytes - bytes % 8, &word, static_cast<size_t>(bytes % 8));
  }
  const int exponent = static_cast<int>(std::lround(std::log2(sigma / kScalarDeviation)));
  const auto scalars = [&]<class T>(T keep, int bias, int mantissa_bits) {
    const T exponent_bits = static_cast<T>(static_cast<T>(exponent + bias) << mantissa_bits);
    for (int64_t i = 0; i < count; ++i) {
      T bits;
      std::memcpy(&bits, out + i * static_cast<int64_t>(sizeof bits), sizeof bits);
      bits = static_cast<T>((bits & keep) | exponent_bits);
      std::memcpy(out + i * static_cast<int64_t>(sizeof bits), &bits, sizeof bits);
    }
  };
  if (type == DType::f32) return scalars(uint32_t{0x807FFFFF}, 127, 23);
  if (type == DType::f16) return scalars(uint16_t{0x83FF}, 15, 10);
  if (type == DType::bf16) return scalars(uint16_t{0x807F}, 127, 7);
  for (int64_t i = 0; i < count; ++i) shape_block(type, sigma, out + i * info(type).bytes);
}

}  // namespace weft::cli
