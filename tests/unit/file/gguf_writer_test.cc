// What the writer writes, the reader reads back: metadata of every type, tensors in pieces, and the same bytes twice.
#include "file/gguf_writer.h"

#include <cmath>
#include <limits>

#include "file/tensor_file.h"
#include "unit/file/memory_host.h"

namespace weft::test {
namespace {

struct StringSink : ByteSink {
  const std::string& name() const override { return name_; }
  Status commit() override {
    committed = true;
    return {};
  }
  Status write(std::span<const std::byte> bytes) override {
    if (text.size() + bytes.size() > limit) return fail(Code::io, "sink", "writing", "space", "none");
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  std::string text;
  size_t limit = ~size_t{0};
  bool committed = false;

 private:
  std::string name_ = "w.gguf";
};

std::vector<std::pair<std::string, MetaValue>> every_type() {
  using Strings = std::vector<std::string>;
  using Ints = std::vector<int64_t>;
  using Floats = std::vector<double>;
  return {{"general.architecture", std::string("llama")},
          {"true", true},
          {"false", false},
          {"zero", int64_t{0}},
          {"u32", int64_t{4294967295}},
          {"i32", int64_t{-7}},
          {"u64", int64_t{1} << 40},
          {"i64", -(int64_t{1} << 40)},
          {"largest", std::numeric_limits<int64_t>::max()},
          {"least", std::numeric_limits<int64_t>::min()},
          {"f32", static_cast<double>(1e-5f)},
          {"f64", 1e-5},
          {"beyond f32", 1e300},
          {"infinite", std::numeric_limits<double>::infinity()},
          {"empty", std::string()},
          {"bytes", std::string("\0\xFF\n", 3)},
          {"bools", std::vector<bool>{true, false, true}},
          {"ints.i32", Ints{1, -1, 3}},
          {"ints.u32", Ints{1, 4294967295}},
          {"ints.i64", Ints{-1, 4294967295}},
          {"ints.none", Ints{}},
          {"floats.f32", Floats{0.5, -1.25}},
          {"floats.f64", Floats{0.1, 0.2}},
          {"strings", Strings{"", "a", std::string("\0", 1), "日本"}}};
}

std::string write_all(size_t piece) {
  StringSink sink;
  GgufWriter writer(sink);
  for (auto& [key, value] : every_type()) EXPECT_OK(writer.set(key, value));
  EXPECT_OK(writer.add_tensor("f", DType::f32, {3, 5}));  // 60 bytes: padding follows
  EXPECT_OK(writer.add_tensor("q", DType::q4_k, {2, 256}));
  EXPECT_OK(writer.add_tensor("scalar", DType::f16, {}));
  EXPECT_OK(writer.begin());
  std::string data(60 + 288 + 2, '\0');
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<char>(i * 7 + 1);
  for (size_t at = 0; at < data.size(); at += piece)
    EXPECT_OK(writer.write(std::as_bytes(std::span(data).subspan(at, std::min(piece, data.size() - at)))));
  EXPECT_OK(writer.end());
  EXPECT_TRUE(sink.committed);
  EXPECT_EQ(writer.file_bytes(), sink.text.size());
  return sink.text;
}

TEST(GgufWriter, RoundTrip) {
  const std::string bytes = write_all(1000);
  EXPECT_EQ(bytes, write_all(1)) << "pieces must not matter";
  EXPECT_EQ(bytes, write_all(61));
  EXPECT_EQ(bytes.size() % 32, 0u);
  MemoryHost host;
  host.files["w"] = bytes;
  ASSERT_OK_AND(auto file, run(open_tensor_file(host, "w")));
  const auto expected = every_type();
  ASSERT_EQ(file->metadata().keys().size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(file->metadata().keys()[i], expected[i].first);
    EXPECT_EQ(*file->metadata().find(expected[i].first), expected[i].second) << expected[i].first;
  }
  const TensorInfo* q = file->find("q");
  ASSERT_NE(q, nullptr);
  EXPECT_EQ(q->shape, (std::vector<int64_t>{2, 256}));
  EXPECT_EQ(q->offset % 32, 0u);
  EXPECT_EQ(static_cast<uint8_t>(bytes[q->offset]), static_cast<uint8_t>(60 * 7 + 1));
  EXPECT_TRUE(file->find("scalar")->shape.empty());

  // A file written from what was read is the same file.
  StringSink sink;
  GgufWriter again(sink);
  ASSERT_OK(again.set_all(file->metadata()));
  for (const TensorInfo& t : file->tensors()) ASSERT_OK(again.add_tensor(t.name, t.dtype, t.shape));
  ASSERT_OK(again.begin());
  for (const TensorInfo& t : file->tensors())
    ASSERT_OK(again.write(std::as_bytes(std::span(bytes)).subspan(t.offset, t.bytes)));
  ASSERT_OK(again.end());
  EXPECT_EQ(sink.text, bytes);
}

// The types that llama.cpp's reader asks for by name: settings u32 and f32, token types i32, scores f32.
TEST(GgufWriter, TypesOtherToolsExpect) {
  StringSink sink;
  GgufWriter writer(sink);
  ASSERT_OK(writer.set("n", int64_t{7}));
  ASSERT_OK(writer.set("e", static_cast<double>(1e-5f)));
  ASSERT_OK(writer.set("t", std::vector<int64_t>{1, 3}));
  ASSERT_OK(writer.set("s", std::vector<double>{0, -1.5}));
  ASSERT_OK(writer.begin());
  ASSERT_OK(writer.end());
  size_t at = 24;
  auto u32 = [&](size_t offset) {
    uint32_t value;
    std::memcpy(&value, sink.text.data() + offset, sizeof value);
    return value;
  };
  EXPECT_EQ(u32(at + 9), 4u);
  at += 9 + 4 + 4;
  EXPECT_EQ(u32(at + 9), 6u);
  at += 9 + 4 + 4;
  EXPECT_EQ(u32(at + 9), 9u);
  EXPECT_EQ(u32(at + 13), 5u);
  at += 13 + 4 + 8 + 8;
  EXPECT_EQ(u32(at + 13), 6u);
}

TEST(GgufWriter, WrongUse) {
  StringSink sink;
  GgufWriter writer(sink);
  EXPECT_ERROR(Code::invalid_argument, writer.set("", true));
  EXPECT_ERROR(Code::invalid_argument, writer.set(std::string(70000, 'k'), true));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("", DType::f32, {1}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::q8_0, {31}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::q8_0, {}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::i8_32, {32}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::f32, {0}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::f32, {1, 1, 1, 1, 1}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::f32, {int64_t{1} << 40, int64_t{1} << 40}));
  ASSERT_OK(writer.add_tensor("t", DType::f32, {2}));
  EXPECT_ERROR(Code::invalid_argument, writer.add_tensor("t", DType::f32, {2}));
  ASSERT_OK(writer.begin());
  const std::byte bytes[9] = {};
  ASSERT_OK(writer.write(std::span(bytes).first(7)));
  EXPECT_ERROR(Code::invalid_argument, writer.end());
  EXPECT_FALSE(sink.committed);
  EXPECT_ERROR(Code::invalid_argument, writer.write(std::span(bytes).first(2)));

  StringSink full;
  full.limit = 10;
  GgufWriter refused(full);
  EXPECT_ERROR(Code::io, refused.begin());
}

}  // namespace
}  // namespace weft::test
