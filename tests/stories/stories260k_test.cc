// A trained 260K-parameter model in every format against a float64 reference.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "file/gguf_writer.h"
#include "native_host.h"
#include "story_support.h"
#include "weights/formats.h"

namespace weft {
namespace {

using namespace weft::test;

#define REFERENCE_OR_SKIP()                       \
  const auto reference = stories260k_reference(); \
  if (!reference) GTEST_SKIP() << "skipped: no shared data"

constexpr int64_t kVocab = 512;

TEST(Stories260K, GreedyIdsInF32) {
  REFERENCE_OR_SKIP();
  NativeHost host;
  for (const char* file : {"lm/stories260K/stories260K-f32.gguf", "lm/stories260K/stories260Ktok512.gguf"}) {
    for (int threads : {1, 2}) {
      ASSERT_OK_AND(auto model, load(host, *shared_data(file), {.threads = threads, .kv = DType::f32}));
      ASSERT_EQ(model->model().vocab_size, kVocab);
      auto session = new_session(*model);
      auto request = greedy({reference->greedy[0]}, static_cast<int64_t>(reference->greedy.size()) - 1);
      request.ignore_end = true;
      const Generated out = generate(*session, request);
      // The upstream file says that it was made for 128 tokens, and so it stops there.
      const int64_t count = std::min<int64_t>(static_cast<int64_t>(reference->greedy.size()) - 1, model->context());
      ASSERT_GE(count, 128);
      EXPECT_EQ(out.ids, std::vector(reference->greedy.begin() + 1, reference->greedy.begin() + 1 + count)) << file;
      EXPECT_TRUE(out.text.contains("there was a little girl named Lily.")) << out.text;
    }
  }
}

TEST(Stories260K, LogitsInF32) {
  REFERENCE_OR_SKIP();
  const std::string npy = read_text(*shared_data("lm/stories260K/stories260K_logits64.npy"));
  const size_t count = 64 * kVocab;
  ASSERT_TRUE(npy.starts_with("\x93NUMPY"));
  ASSERT_TRUE(npy.substr(0, 128).contains("(64, 512)")) << npy.substr(0, 128);
  const bool doubles = npy.substr(0, 128).contains("<f8");
  const size_t bytes = count * (doubles ? 8 : 4);
  ASSERT_GE(npy.size(), bytes);
  NativeHost host;
  ASSERT_OK_AND(auto model, load(host, *stories260k("f32"), {.threads = 1, .kv = DType::f32}));
  auto session = new_session(*model);
  double worst = 0;
  const std::vector<int32_t> ids(reference->logits_ids);
  ASSERT_EQ(ids.size(), 64u);
  ASSERT_OK(run(session->logits(ids, [&](int64_t first, std::span<const float> rows) {
    const char* data = npy.data() + npy.size() - bytes;
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t at = static_cast<size_t>(first) * kVocab + i;
      double exact;
      if (doubles) {
        std::memcpy(&exact, data + at * 8, 8);
      } else {
        float single;
        std::memcpy(&single, data + at * 4, 4);
        exact = single;
      }
      worst = std::max(worst, std::abs(rows[i] - exact));
    }
    return Status{};
  })));
  EXPECT_LT(worst, 1e-3);
}

TEST(Stories260K, LikelihoodInEveryFloatFormat) {
  REFERENCE_OR_SKIP();
  NativeHost host;
  const std::vector<std::tuple<const char*, DType, double>> cases{
      {"f32", DType::f32, 1e-4}, {"f16", DType::f16, 1e-2}, {"bf16", DType::f16, 1e-2}, {"q8_0", DType::f16, 2e-2}};
  for (const auto& [format, kv, tolerance] : cases) {
    ASSERT_OK_AND(auto model, load(host, *stories260k(format), {.threads = 2, .kv = kv}));
    auto session = new_session(*model);
    double worst = 0;
    for (const Story& story : reference->stories)
      worst = std::max(worst, std::abs(mean_nll(*session, story.ids, kVocab) - story.mean_nll));
    EXPECT_LE(worst, tolerance) << format << " with kv " << name(kv);
    RecordProperty(std::string(format) + "_" + std::string(name(kv)), std::to_string(worst));
  }
}

// The same file with every weight decoded to F32: what a coarse format is measured against.
Result<std::string> decoded_copy(Host& host, const std::string& path) {
  WEFT_TRY(auto file, run(open_tensor_file(host, path)));
  const std::string copy = temp_path("decoded.gguf");
  WEFT_TRY(auto sink, create_file(copy));
  GgufWriter writer(*sink);
  WEFT_CHECK_OK(writer.set_all(file->metadata()));
  for (const TensorInfo& tensor : file->tensors())
    WEFT_CHECK_OK(writer.add_tensor(tensor.name, DType::f32, tensor.shape));
  WEFT_CHECK_OK(writer.begin());
  for (const TensorInfo& tensor : file->tensors()) {
    std::vector<std::byte> bytes(tensor.bytes);
    WEFT_CHECK_OK(run(file->source(tensor.part).read(tensor.offset, bytes)));
    int64_t elements = 1;
    for (int64_t size : tensor.shape) elements *= size;
    std::vector<float> values(static_cast<size_t>(elements));
    dequantize(tensor.dtype, bytes.data(), values.data(), elements);
    WEFT_CHECK_OK(writer.write(std::as_bytes(std::span(values))));
  }
  WEFT_CHECK_OK(writer.end());
  return copy;
}

TEST(Stories260K, CoarseFormatsAgainstTheirDecodedWeights) {
  REFERENCE_OR_SKIP();
  NativeHost host;
  for (const char* format : {"q4_0", "q4_1", "q5_0", "q5_1"}) {
    ASSERT_OK_AND(const std::string decoded, decoded_copy(host, *stories260k(format)));
    ASSERT_OK_AND(auto plain, load(host, decoded, {.threads = 1, .kv = DType::f32, .disabled_passes = {"*"}}));
    ASSERT_OK_AND(auto exact,
                  load(host, *stories260k(format), {.threads = 1, .kv = DType::f32, .disabled_passes = {"*"}}));
    ASSERT_OK_AND(auto fast, load(host, *stories260k(format), {.threads = 2, .kv = DType::f16}));
    auto a = new_session(*plain), b = new_session(*exact), c = new_session(*fast);
    double worst_exact = 0, worst_fast = 0;
    for (const Story& story : reference->stories) {
      const double wanted = mean_nll(*a, story.ids, kVocab);
      worst_exact = std::max(worst_exact, std::abs(mean_nll(*b, story.ids, kVocab) - wanted));
      worst_fast = std::max(worst_fast, std::abs(mean_nll(*c, story.ids, kVocab) - wanted));
    }
    EXPECT_LE(worst_exact, 1e-3) << format;
    EXPECT_LE(worst_fast, 1e-2) << format;
    RecordProperty(std::string(format) + "_exact", std::to_string(worst_exact));
    RecordProperty(std::string(format) + "_fast", std::to_string(worst_fast));
  }
}

TEST(Stories260K, StreamedTextIsTheText) {
  REFERENCE_OR_SKIP();
  NativeHost host;
  ASSERT_OK_AND(auto model, load(host, *stories260k("q8_0"), {.threads = 2}));
  auto session = new_session(*model);
  ASSERT_OK_AND(const Tokenizer* tokenizer, model->require_tokenizer());
  ASSERT_OK_AND(const auto prompt, tokenizer->encode("Once upon a time"));
  GenerateRequest request{.prompt = prompt, .max_tokens = 120, .sampling = {.seed = 42}};
  std::string streamed;
  std::vector<int32_t> ids;
  const Generated first = generate(*session, request, [&](const TokenEvent& event) {
    streamed += event.text;
    if (event.id != kNoToken) ids.push_back(event.id);
  });
  EXPECT_EQ(streamed, first.text);
  EXPECT_EQ(ids, first.ids);
  EXPECT_EQ(generate(*session, request).text, first.text);  // the same seed
  request.sampling.seed = 43;
  EXPECT_NE(generate(*session, request).text, first.text);

  // A stop string from the middle of the text, which begins and ends inside tokens.
  request.sampling.seed = 42;
  const size_t at = first.text.size() / 2;
  request.stop = {first.text.substr(at, 9)};
  const size_t found = first.text.find(request.stop[0]);
  streamed.clear();
  const Generated stopped = generate(*session, request, [&](const TokenEvent& event) { streamed += event.text; });
  EXPECT_EQ(stopped.stop, StopReason::stop_string);
  EXPECT_EQ(stopped.text, first.text.substr(0, found));
  EXPECT_EQ(streamed, stopped.text);
  // One that never comes changes nothing.
  request.stop = {first.text.substr(at, 9) + "\x01", std::string(first.text.substr(first.text.size() - 3)) + "~"};
  streamed.clear();
  EXPECT_EQ(generate(*session, request, [&](const TokenEvent& event) { streamed += event.text; }).text, first.text);
  EXPECT_EQ(streamed, first.text);
}

TEST(Stories260K, AThousandGenerationsDoNotGrow) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "skipped: a sanitizer keeps freed memory for a while; it looks for leaks itself";
#endif
  REFERENCE_OR_SKIP();
  NativeHost host;
  ASSERT_OK_AND(auto model, load(host, *stories260k("q8_0"), {.threads = 1, .context = 64}));
  auto session = new_session(*model);
  const auto resident = [] {  // in pages
    long size = 0, pages = 0;
    std::sscanf(read_text("/proc/self/statm").c_str(), "%ld %ld", &size, &pages);
    return pages;
  };
  long before = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i == 100) before = resident();
    GenerateRequest request{.prompt = {1, 2 + i % 200}, .max_tokens = 6, .sampling = {.seed = uint64_t(i)}};
    generate(*session, request);
    if (i % 100 == 0) {
      session.reset();
      session = new_session(*model);
    }
  }
  EXPECT_LE(resident() - before, 64) << "pages";  // 256 KB of allocator noise
}

}  // namespace
}  // namespace weft
