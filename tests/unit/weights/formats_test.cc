// Decoders and encoders against files and blocks that other programs wrote (see data/make_k_blocks.py), and against
// the formats' own arithmetic.
#include "weights/formats.h"

#include <cmath>
#include <cstring>
#include <random>

#include "base/half.h"
#include "file/tensor_file.h"
#include "support/support.h"

namespace weft::test {
namespace {

constexpr DType kBlockTypes[] = {DType::q4_0, DType::q4_1, DType::q5_0, DType::q5_1, DType::q8_0,
                                 DType::q2_k, DType::q3_k, DType::q4_k, DType::q5_k, DType::q6_k};

std::vector<std::byte> encode(DType dtype, const std::vector<float>& values) {
  const auto n = static_cast<int64_t>(values.size());
  std::vector<std::byte> blocks(static_cast<size_t>(row_bytes(dtype, n)));
  quantize(dtype, values.data(), blocks.data(), n);
  return blocks;
}
std::vector<float> decode(DType dtype, std::span<const std::byte> blocks) {
  const size_t n = blocks.size() / static_cast<size_t>(info(dtype).bytes) * static_cast<size_t>(info(dtype).block);
  std::vector<float> values(n);
  dequantize(dtype, blocks.data(), values.data(), static_cast<int64_t>(n));
  return values;
}
double rms(const std::vector<float>& values) {
  double sum = 0;
  for (float v : values) sum += static_cast<double>(v) * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}
double rms_error(const std::vector<float>& a, const std::vector<float>& b) {
  std::vector<float> rest(a.size());
  for (size_t i = 0; i < a.size(); ++i) rest[i] = a[i] - b[i];
  return rms(rest);
}
std::vector<float> bell(size_t n, uint64_t seed, float scale = 1) {
  std::mt19937_64 random(seed);
  std::vector<float> values(n);
  for (float& v : values) {
    int64_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += static_cast<int64_t>(random() >> 48);
    v = static_cast<float>(sum - 131072) * 0x1p-16f * scale;
  }
  return values;
}

TEST(Formats, HalfPrecisionDecodersMatchTheScalarDefinition) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  const auto f16 = decode(DType::f16, std::as_bytes(std::span(all)));
  const auto bf16 = decode(DType::bf16, std::as_bytes(std::span(all)));
  for (size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(f16[i]), std::bit_cast<uint32_t>(f16_to_f32(all[i]))) << i;
    ASSERT_EQ(std::bit_cast<uint32_t>(bf16[i]), std::bit_cast<uint32_t>(bf16_to_f32(all[i]))) << i;
  }
  const auto again = encode(DType::f16, f16);
  for (size_t i = 0; i < all.size(); ++i) {
    if (std::isnan(f16[i])) continue;
    uint16_t back;
    std::memcpy(&back, again.data() + 2 * i, 2);
    ASSERT_EQ(back, all[i]);
  }
}

struct File {
  std::shared_ptr<TensorFile> file;
  std::vector<std::byte> bytes(const TensorInfo& t) const {
    std::vector<std::byte> out(t.bytes);
    EXPECT_OK(run(file->source(t.part).read(t.offset, out)));
    return out;
  }
};

// stories260K was quantised by another implementation: our decoders must be within each format's step of the F32
// weights, and our encoders must give its very bytes.
TEST(Formats, Stories260KBytes) {
  const auto dir = shared_data("lm/stories260K");
  if (!dir) GTEST_SKIP() << "skipped: no shared data";
  TestHost host;
  auto open = [&](std::string_view type) {
    auto file = run(open_tensor_file(host, *dir + "/stories260K-" + std::string(type) + ".gguf"));
    EXPECT_TRUE(file.has_value()) << file.error().message();
    return File{*file};
  };
  const File original = open("f32");
  // Largest relative RMS error of a bell-shaped tensor: half a step of 2^bits levels over some 4 sigma each way.
  const std::pair<DType, double> kBounds[] = {{DType::f16, 3e-4},  {DType::bf16, 2.5e-3}, {DType::q8_0, 8e-3},
                                              {DType::q5_1, 0.05}, {DType::q5_0, 0.06},   {DType::q4_1, 0.1},
                                              {DType::q4_0, 0.12}};
  for (auto [type, bound] : kBounds) {
    const File quantised = open(name(type));
    int64_t compared = 0, blocks = 0, different = 0;
    double worst = 0;
    for (const TensorInfo& t : quantised.file->tensors()) {
      const TensorInfo* source = original.file->find(t.name);
      ASSERT_NE(source, nullptr);
      ASSERT_EQ(t.shape, source->shape);
      if (t.dtype != type) continue;
      const auto exact = decode(DType::f32, original.bytes(*source));
      const auto theirs = quantised.bytes(t);
      worst = std::max(worst, rms_error(exact, decode(type, theirs)) / rms(exact));
      const auto ours = encode(type, exact);
      const auto size = static_cast<size_t>(info(type).bytes);
      for (size_t i = 0; i < theirs.size(); i += size, ++blocks)
        different += std::memcmp(ours.data() + i, theirs.data() + i, size) != 0;
      ++compared;
    }
    std::printf("[ figure   ] %-5s %lld tensors, worst relative error %.4f, %lld of %lld blocks differ\n",
                std::string(name(type)).c_str(), static_cast<long long>(compared), worst,
                static_cast<long long>(different), static_cast<long long>(blocks));
    EXPECT_GT(compared, 30);
    EXPECT_LT(worst, bound) << name(type);
    EXPECT_EQ(different, 0) << name(type);
  }
}

// The values of make_k_blocks.py.
std::vector<float> check_values() {
  std::vector<float> values;
  uint64_t state = 1;
  for (int row = 0; row < 16; ++row) {
    for (int column = 0; column < 256; ++column) {
      int64_t total = 0;
      for (int i = 0; i < 4; ++i) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        total += static_cast<int64_t>(state >> 48);
      }
      values.push_back(static_cast<float>(total - 131072 + 16384 * (row % 3)) * 0x1p-18f *
                       static_cast<float>(1 << (row % 4)));
    }
  }
  return values;
}

struct KType {
  DType dtype;
  double bound;  // relative RMS error a row, of either encoder
};
constexpr KType kKTypes[] = {
    {DType::q2_k, 0.32}, {DType::q3_k, 0.17}, {DType::q4_k, 0.085}, {DType::q5_k, 0.045}, {DType::q6_k, 0.023}};

TEST(Formats, KBlocksOfAnotherEncoder) {
  const auto exact = check_values();
  for (auto [type, bound] : kKTypes) {
    const std::string text = read_text(source_dir() + "/tests/unit/weights/data/" + std::string(name(type)) + ".bin");
    const auto theirs = decode(type, std::as_bytes(std::span(text)));
    ASSERT_EQ(theirs.size(), exact.size());
    const auto ours = decode(type, encode(type, exact));
    double their_error = 0, our_error = 0;
    for (size_t row = 0; row < 16; ++row) {
      const std::vector<float> x(exact.begin() + row * 256, exact.begin() + (row + 1) * 256);
      const std::vector<float> a(theirs.begin() + row * 256, theirs.begin() + (row + 1) * 256);
      const std::vector<float> b(ours.begin() + row * 256, ours.begin() + (row + 1) * 256);
      EXPECT_LT(rms_error(x, a) / rms(x), bound) << name(type) << " decoded, row " << row;
      EXPECT_LT(rms_error(x, b) / rms(x), bound) << name(type) << " encoded and decoded, row " << row;
      their_error += rms_error(x, a) / rms(x) / 16;
      our_error += rms_error(x, b) / rms(x) / 16;
    }
    std::printf("[ figure   ] %s relative error: llama.cpp's encoder %.4f, ours %.4f\n",
                std::string(name(type)).c_str(), their_error, our_error);
  }
}

// Bit for bit what llama.cpp's own decoder makes of the same blocks.
TEST(Formats, KDecodersMatchAnotherDecoder) {
  const std::string data = source_dir() + "/tests/unit/weights/data/";
  const std::string decoded = read_text(data + "decoded.txt");
  for (auto [type, bound] : kKTypes) {
    const std::string text = read_text(data + std::string(name(type)) + ".bin");
    uint64_t hash = 0xCBF29CE484222325;
    const auto values = decode(type, std::as_bytes(std::span(text)));
    for (std::byte b : std::as_bytes(std::span(values))) hash = (hash ^ static_cast<uint64_t>(b)) * 0x100000001B3;
    char line[64];
    std::snprintf(line, sizeof line, "%s %016llx\n", std::string(name(type)).c_str(),
                  static_cast<unsigned long long>(hash));
    EXPECT_NE(decoded.find(line), decoded.npos) << line << decoded;
  }
}

// Reference for one group: codes from the smallest to the largest value with a scale that nothing rounds.
double min_max_error(const std::vector<float>& x, size_t group, int levels, bool symmetric) {
  double sum = 0;
  for (size_t at = 0; at < x.size(); at += group) {
    float low = 0, high = 0;
    for (size_t i = at; i < at + group; ++i) low = std::min(low, x[i]), high = std::max(high, x[i]);
    if (symmetric) high = std::max(high, -low), low = -high;
    const float step = (high - low) / static_cast<float>(levels - 1 + symmetric);
    for (size_t i = at; i < at + group; ++i) {
      float code = std::round((x[i] - low) / step);
      code = std::min(code, static_cast<float>(levels - 1));
      const double rest = x[i] - (low + step * code);
      sum += rest * rest;
    }
  }
  return std::sqrt(sum / static_cast<double>(x.size()));
}

TEST(Formats, ScaleSearchBeatsMinAndMax) {
  const auto x = bell(256 * 64, 5);
  struct Case {
    DType dtype;
    size_t group;
    int levels;
    bool symmetric;
    double gain;  // required: error of min/max over ours
  };
  const Case cases[] = {{DType::q2_k, 16, 4, false, 1.15},
                        {DType::q3_k, 16, 8, true, 1.05},
                        {DType::q4_k, 32, 16, false, 1.05},
                        {DType::q5_k, 32, 32, false, 1.0},
                        {DType::q6_k, 16, 64, true, 1.0}};
  for (const Case& c : cases) {
    const double ours = rms_error(x, decode(c.dtype, encode(c.dtype, x)));
    const double simple = min_max_error(x, c.group, c.levels, c.symmetric);
    std::printf("[ figure   ] %s RMSE %.5f, min/max with unrounded scales %.5f (%.2fx)\n",
                std::string(name(c.dtype)).c_str(), ours, simple, simple / ours);
    EXPECT_GT(simple / ours, c.gain) << name(c.dtype);
  }
}

TEST(Formats, DecodedValuesEncodeToThemselves) {
  for (DType type : kBlockTypes) {
    for (float scale : {1.0f, 1e-3f, 100.0f}) {
      const auto once = decode(type, encode(type, bell(256 * 8, 9, scale)));
      const auto twice = decode(type, encode(type, once));
      EXPECT_LT(rms_error(once, twice), rms(once) * (type == DType::q2_k ? 0.1 : 0.03)) << name(type);
    }
  }
}

TEST(Formats, AwkwardValues) {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (DType type : kBlockTypes) {
    for (float value : decode(type, encode(type, std::vector<float>(256, 0)))) ASSERT_EQ(value, 0) << name(type);
    const auto constant = decode(type, encode(type, std::vector<float>(256, -0.75f)));
    for (float value : constant) ASSERT_NEAR(value, -0.75f, 0.012f) << name(type);
    std::vector<float> one(256, 0);
    one[77] = 5;
    const auto spike = decode(type, encode(type, one));
    ASSERT_NEAR(spike[77], 5, 0.06f) << name(type);
    for (size_t i = 0; i < 256; ++i) {
      if (i != 77) ASSERT_NEAR(spike[i], 0, 0.01f) << name(type);
    }
    // No meaning, but no undefined behaviour either (this runs under the sanitizers).
    for (float bad : {inf, -inf, nan, 3e38f, 1e-45f}) {
      one[3] = bad;
      encode(type, one);
      encode(type, std::vector<float>(256, bad));
      EXPECT_EQ(all_finite(one.data(), 256), std::isfinite(bad));
    }
    // Every pattern of bits decodes to something.
    std::vector<std::byte> noise(static_cast<size_t>(info(type).bytes) * 64);
    std::mt19937_64 random(11);
    for (std::byte& b : noise) b = static_cast<std::byte>(random());
    decode(type, noise);
  }
  EXPECT_FALSE(can_dequantize(DType::i8_32));
  EXPECT_FALSE(can_quantize(DType::i32));
}

TEST(Formats, Speed) {
  const auto x = bell(1 << 18, 3);
  std::vector<float> out(x.size());
  TestHost host;
  for (DType type : {DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q4_k, DType::q6_k}) {
    double begin = host.now();
    const auto blocks = encode(type, x);
    const double encoding = host.now() - begin;
    double best = 1e9;
    for (int i = 0; i < 5; ++i) {
      begin = host.now();
      dequantize(type, blocks.data(), out.data(), static_cast<int64_t>(out.size()));
      best = std::min(best, host.now() - begin);
    }
    const double n = static_cast<double>(x.size()) / 1e6;
    std::printf("[ figure   ] %-5s decodes %.0f, encodes %.1f million weights/s\n", std::string(name(type)).c_str(),
                n / best, n / encoding);
    EXPECT_LT(best, 1.0);
  }
}

}  // namespace
}  // namespace weft::test
