#include <cmath>
#include <limits>

#include "base/dtype.h"
#include "base/half.h"
#include "base/json.h"
#include "base/metadata.h"
#include "base/utf8.h"
#include "support/support.h"

namespace weft {
namespace {

TEST(Result, MessageNamesEverythingAndStaysOneLine) {
  Error error{Code::bad_file, "a\nb.gguf", "magic", "'GGUF'", std::string(300, 'x'), ""};
  const std::string message = error.message();
  EXPECT_EQ(message.find('\n'), std::string::npos);
  EXPECT_TRUE(message.starts_with("a\\nb.gguf: magic: expected 'GGUF', found xxx")) << message;
  EXPECT_TRUE(message.ends_with("[bad-file]")) << message;
  EXPECT_LT(message.size(), 400u);
}

Result<int> half_of(int n) {
  if (n % 2) return fail(Code::invalid_argument, "half_of", "argument", "an even number", std::to_string(n));
  return n / 2;
}
Result<int> quarter_of(int n) {
  WEFT_TRY(int half, half_of(n));
  WEFT_TRY(int quarter, half_of(half));
  return quarter;
}

TEST(Result, TryReturnsTheValueOrTheError) {
  ASSERT_OK_AND(int three, quarter_of(12));
  EXPECT_EQ(three, 3);
  EXPECT_ERROR(Code::invalid_argument, quarter_of(6));
}

TEST(Half, EveryF16RoundTripsAndRoundsToNearestEven) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = f16_to_f32(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value))));
      continue;
    }
    EXPECT_EQ(f32_to_f16(value), bits);
    EXPECT_EQ(value, static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(bits))));
  }
  uint32_t state = 1;
  for (int i = 0; i < 1000000; ++i) {
    state = state * 1664525 + 1013904223;
    const float value = std::bit_cast<float>(state);
    if (std::isnan(value)) continue;
    EXPECT_EQ(f32_to_f16(value), std::bit_cast<uint16_t>(static_cast<_Float16>(value))) << value;
    const float back = bf16_to_f32(f32_to_bf16(value));
    if (std::isfinite(back)) EXPECT_LE(std::abs(back - value), std::max(std::abs(value), 0x1p-126f) * 0x1p-8f);
  }
}

TEST(DType, NamesAndGgmlNumbersRoundTrip) {
  for (int i = 0; i < kDTypeCount; ++i) {
    const DType dtype = static_cast<DType>(i);
    EXPECT_EQ(dtype_from_name(name(dtype)), dtype);
    if (info(dtype).ggml_type >= 0) EXPECT_EQ(dtype_from_ggml(info(dtype).ggml_type), dtype);
  }
  EXPECT_EQ(dtype_from_name("Q4_K"), DType::q4_k);
  EXPECT_EQ(dtype_from_name("q9"), std::nullopt);
  EXPECT_EQ(row_bytes(DType::q8_0, 64), 68);
}

TEST(Metadata, TypesAreChecked) {
  Metadata meta("m.gguf");
  meta.set("a", int64_t{7});
  meta.set("b", true);
  meta.set("c", std::vector<int64_t>{1, 2});
  EXPECT_EQ(*meta.get<double>("a"), 7.0);
  EXPECT_EQ((*meta.get<std::vector<double>>("c"))[1], 2.0);
  EXPECT_EQ(*meta.get_or<int64_t>("none", 3), 3);
  EXPECT_ERROR(Code::bad_file, meta.get<int64_t>("b"));
  EXPECT_ERROR(Code::bad_file, meta.get_or<std::string>("a", ""));
  EXPECT_ERROR(Code::bad_file, meta.get<std::string>("none"));
  meta.remove("a");
  EXPECT_EQ(meta.keys(), (std::vector<std::string>{"b", "c"}));
}

TEST(Json, BadTextIsAnErrorNotAnAbort) {
  EXPECT_OK(parse_json(R"({"a": [1, "\u00e9"]})", "t"));
  EXPECT_ERROR(Code::bad_file, parse_json("{\"a\": }", "t"));
  EXPECT_ERROR(Code::bad_file, parse_json("", "t"));
  EXPECT_ERROR(Code::bad_file, parse_json("{\"a\": 1", "t"));
  EXPECT_ERROR(Code::limit, parse_json(std::string(100000, '['), "t"));
  EXPECT_EQ(json_member(*parse_json("3", "t"), "x"), nullptr);
}

TEST(Utf8, DecodesChecksAndFindsIncompleteTails) {
  const std::string text = "aé€😀";
  std::string again;
  for (size_t i = 0; i < text.size();) {
    Utf8Char c = decode_utf8(text, i);
    ASSERT_TRUE(c.valid);
    append_utf8(again, c.code);
    i += c.size;
  }
  EXPECT_EQ(again, text);
  EXPECT_FALSE(valid_utf8("\xC0\x80"));
  EXPECT_FALSE(valid_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(valid_utf8("\xF4\x90\x80\x80"));
  EXPECT_EQ(incomplete_utf8_tail(text.substr(0, text.size() - 1)), 3u);
  EXPECT_EQ(incomplete_utf8_tail(text), 0u);
  EXPECT_EQ(incomplete_utf8_tail("a\x80"), 0u);
  EXPECT_EQ(replace_invalid_utf8("a\xFF z"), "a\uFFFD z");
}

Task<int> ready() { co_return 1; }
Task<int> many(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) sum += co_await ready();
  co_return sum;
}

TEST(Task, AMillionReadyAwaitsUseConstantStack) { EXPECT_EQ(test::run(many(1000000)), 1000000); }

// A suspension that something outside resumes, as a read-back does.
struct Later {
  std::coroutine_handle<>* slot;
  bool await_ready() { return false; }
  void await_suspend(std::coroutine_handle<> handle) { *slot = handle; }
  void await_resume() {}
};

TEST(Task, ResumesFromOutside) {
  std::coroutine_handle<> waiting;
  auto task = [](std::coroutine_handle<>* slot) -> Task<Result<int>> {
    co_await Later{slot};
    co_return 5;
  };
  EXPECT_EQ(*run_to_end(task(&waiting), [&] { std::exchange(waiting, nullptr).resume(); }), 5);
}

}  // namespace
}  // namespace weft
