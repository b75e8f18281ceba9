// The GGUF reader against files put together by hand: every value type, every field wrong, split models.
#include "file/gguf.h"
#include "unit/file/gguf_bytes.h"
#include "unit/file/memory_host.h"

namespace weft::test {
namespace {

using OpenResult = Result<std::shared_ptr<TensorFile>>;

OpenResult open_bytes(std::string bytes, bool map = true) {
  static MemoryHost host;
  host.map = map;
  host.files["m.gguf"] = std::move(bytes);
  return run(open_tensor_file(host, "m.gguf"));
}

// The error's line must name the file and hold all of `parts`; mapped or not, it is the same.
void expect_refused(const std::string& bytes, Code code, std::initializer_list<std::string_view> parts) {
  std::string first;
  for (bool map : {true, false}) {
    auto file = open_bytes(bytes, map);
    ASSERT_FALSE(file.has_value()) << "opened";
    const std::string line = file.error().message();
    EXPECT_EQ(code_name(file.error().code), code_name(code)) << line;
    EXPECT_TRUE(line.starts_with("m.gguf: ")) << line;
    EXPECT_FALSE(file.error().found.empty()) << line;
    EXPECT_FALSE(file.error().expected.empty()) << line;
    for (std::string_view part : parts) EXPECT_NE(line.find(part), line.npos) << line << "\n  lacks: " << part;
    if (!first.empty()) EXPECT_EQ(first, line);
    first = line;
  }
}

// One F32 tensor [2, 4] and one Q8_0 tensor [2, 32].
std::string small_file(uint64_t first = 0, uint64_t second = 32, size_t data = 32 + 68) {
  Raw r;
  r.head(2, 1).kv_string("general.architecture", "llama");
  r.tensor("a", {4, 2}, 0, first).tensor("b", {32, 2}, 8, second).align().zeros(data);
  return r.text;
}

TEST(GgufRead, SmallFile) {
  for (uint32_t version : {2u, 3u}) {
    std::string bytes = small_file();
    bytes[4] = static_cast<char>(version);
    ASSERT_OK_AND(auto file, open_bytes(bytes));
    EXPECT_EQ(file->format(), FileFormat::gguf);
    ASSERT_EQ(file->tensors().size(), 2u);
    const TensorInfo* b = file->find("b");
    ASSERT_NE(b, nullptr);
    EXPECT_EQ(b->shape, (std::vector<int64_t>{2, 32}));
    EXPECT_EQ(b->dtype, DType::q8_0);
    EXPECT_EQ(b->bytes, 68u);
    EXPECT_EQ(b->offset, bytes.size() - 68);
    EXPECT_EQ(file->find("a")->shape, (std::vector<int64_t>{2, 4}));
    EXPECT_EQ(file->find("a")->offset, bytes.size() - 100);
    EXPECT_EQ(file->find("c"), nullptr);
    EXPECT_EQ(file->total_bytes(), bytes.size());
    EXPECT_EQ(*file->metadata().peek<std::string>("general.architecture"), "llama");
  }
}

TEST(GgufRead, EveryValueType) {
  Raw r;
  r.head(0, 24);
  r.kv("u8", 0).put<uint8_t>(200).kv("i8", 1).put<int8_t>(-100).kv("u16", 2).put<uint16_t>(60000);
  r.kv("i16", 3).put<int16_t>(-30000).kv("u32", 4).put<uint32_t>(4000000000u).kv("i32", 5).put<int32_t>(-2000000000);
  r.kv("f32", 6).put<float>(0.1f).kv("bool", 7).u8(1).kv("string", 8).str(std::string_view("h\0llo", 5));
  r.kv("u64", 10).u64(uint64_t{1} << 62).kv("i64", 11).put<int64_t>(-(int64_t{1} << 62)).kv("f64", 12).put<double>(0.1);
  auto array = [&](std::string_view key, uint32_t type) -> Raw& { return r.kv(key, 9).u32(type).u64(2); };
  array("a.u8", 0).put<uint8_t>(1).put<uint8_t>(255);
  array("a.i8", 1).put<int8_t>(1).put<int8_t>(-1);
  array("a.u16", 2).put<uint16_t>(1).put<uint16_t>(65535);
  array("a.i16", 3).put<int16_t>(1).put<int16_t>(-2);
  array("a.u32", 4).u32(1).u32(4294967295u);
  array("a.i32", 5).put<int32_t>(1).put<int32_t>(-3);
  array("a.f32", 6).put<float>(1.5f).put<float>(-0.1f);
  array("a.bool", 7).u8(0).u8(1);
  array("a.string", 8).str("").str("\xFF");
  array("a.u64", 10).u64(1).u64(uint64_t{1} << 40);
  array("a.i64", 11).put<int64_t>(1).put<int64_t>(-(int64_t{1} << 40));
  array("a.f64", 12).put<double>(0.25).put<double>(0.1);
  for (bool map : {true, false}) {
    ASSERT_OK_AND(auto file, open_bytes(r.text, map));
    const Metadata& m = file->metadata();
    EXPECT_EQ(m.keys().size(), 24u);
    EXPECT_EQ(*m.peek<int64_t>("u8"), 200);
    EXPECT_EQ(*m.peek<int64_t>("i8"), -100);
    EXPECT_EQ(*m.peek<int64_t>("u16"), 60000);
    EXPECT_EQ(*m.peek<int64_t>("i16"), -30000);
    EXPECT_EQ(*m.peek<int64_t>("u32"), 4000000000);
    EXPECT_EQ(*m.peek<int64_t>("i32"), -2000000000);
    EXPECT_EQ(*m.peek<double>("f32"), 0.1f);
    EXPECT_EQ(*m.peek<bool>("bool"), true);
    EXPECT_EQ(*m.peek<std::string>("string"), std::string("h\0llo", 5));
    EXPECT_EQ(*m.peek<int64_t>("u64"), int64_t{1} << 62);
    EXPECT_EQ(*m.peek<int64_t>("i64"), -(int64_t{1} << 62));
    EXPECT_EQ(*m.peek<double>("f64"), 0.1);
    using Ints = std::vector<int64_t>;
    EXPECT_EQ(*m.peek<Ints>("a.u8"), (Ints{1, 255}));
    EXPECT_EQ(*m.peek<Ints>("a.i8"), (Ints{1, -1}));
    EXPECT_EQ(*m.peek<Ints>("a.u16"), (Ints{1, 65535}));
    EXPECT_EQ(*m.peek<Ints>("a.i16"), (Ints{1, -2}));
    EXPECT_EQ(*m.peek<Ints>("a.u32"), (Ints{1, 4294967295}));
    EXPECT_EQ(*m.peek<Ints>("a.i32"), (Ints{1, -3}));
    EXPECT_EQ(*m.peek<std::vector<double>>("a.f32"), (std::vector<double>{1.5, -0.1f}));
    EXPECT_EQ(*m.peek<std::vector<bool>>("a.bool"), (std::vector<bool>{false, true}));
    EXPECT_EQ(*m.peek<std::vector<std::string>>("a.string"), (std::vector<std::string>{"", "\xFF"}));
    EXPECT_EQ(*m.peek<Ints>("a.u64"), (Ints{1, int64_t{1} << 40}));
    EXPECT_EQ(*m.peek<Ints>("a.i64"), (Ints{1, -(int64_t{1} << 40)}));
    EXPECT_EQ(*m.peek<std::vector<double>>("a.f64"), (std::vector<double>{0.25, 0.1}));
  }
}

TEST(GgufRead, OtherFilesAreNamed) {
  expect_refused("", Code::bad_file, {"model file", "GGUF or safetensors", "an empty file"});
  expect_refused("Hello, this is a letter.\n", Code::bad_file, {"text beginning 'Hello, this is a letter.'"});
  expect_refused("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Code::bad_file, {"a PNG image"});
  expect_refused(std::string("PK\x03\x04zip", 7), Code::bad_file, {"ZIP", "PyTorch"});
  expect_refused("version https://git-lfs.github.com/spec/v1\n", Code::bad_file, {"git-lfs pointer"});
  expect_refused(std::string("\x01\x02\x03\x04\x00", 5), Code::bad_file, {"bytes 01 02 03 04 00"});
}

TEST(GgufRead, VersionAndByteOrder) {
  Raw swapped;
  swapped.text = "GGUF";
  swapped.u32(0x03000000u).u64(uint64_t{1} << 56).u64(0);
  expect_refused(swapped.text, Code::unsupported, {"byte order", "little-endian", "byte-swapped (big-endian)"});
  expect_refused("FUGG" + swapped.text.substr(4), Code::unsupported, {"byte-swapped"});
  expect_refused(Raw().head(0, 0, 1).text, Code::unsupported, {"GGUF version", "2 or 3", "found 1"});
  expect_refused(Raw().head(0, 0, 4).text, Code::unsupported, {"GGUF version", "found 4"});
  expect_refused("GGUF", Code::bad_file, {"truncated", "4 bytes", "0 bytes"});
}

TEST(GgufRead, HostileCounts) {
  const uint64_t huge = ~uint64_t{0};
  for (uint64_t count : {huge, huge / 2, huge / 13 + 1, uint64_t{1} << 32, uint64_t{100}}) {
    expect_refused(Raw().head(count, 0).zeros(64).text, Code::bad_file, {"number of tensors", "64 bytes"});
    expect_refused(Raw().head(0, count).zeros(64).text, Code::bad_file, {"number of metadata pairs"});
    expect_refused(Raw().head(0, 1).u64(count).zeros(64).text, Code::bad_file, {"metadata key"});
    expect_refused(Raw().head(0, 1).kv("k", 8).u64(count).zeros(64).text, Code::bad_file, {"metadata key 'k'"});
    for (uint32_t type : {0u, 2u, 5u, 6u, 7u, 8u, 10u, 12u})
      expect_refused(Raw().head(0, 1).kv("k", 9).u32(type).u64(count).zeros(64).text, Code::bad_file, {"'k'"});
  }
  // Plenty of bytes, but more elements than any real file has.
  const std::string many(kGgufMaxArrayElements + 1, '\0');
  expect_refused(Raw().head(0, 1).kv("k", 9).u32(0).u64(many.size()).text + many, Code::limit, {"'k'", "16777216"});
}

TEST(GgufRead, HostilePairs) {
  expect_refused(Raw().head(0, 1).kv("k", 13).zeros(64).text, Code::bad_file, {"metadata key 'k'", "type 13"});
  expect_refused(Raw().head(0, 1).kv("k", 9).u32(77).zeros(64).text, Code::bad_file, {"'k'", "type 77"});
  expect_refused(Raw().head(0, 1).kv("k", 9).u32(9).u64(1).zeros(64).text, Code::unsupported, {"'k'", "arrays"});
  expect_refused(Raw().head(0, 1).kv("k", 7).u8(2).zeros(64).text, Code::bad_file, {"'k'", "bool", "found 2"});
  expect_refused(Raw().head(0, 1).kv("k", 10).u64(uint64_t{1} << 63).zeros(9).text, Code::unsupported,
                 {"'k'", "9223372036854775808"});
  expect_refused(Raw().head(0, 1).kv("", 4).zeros(64).text, Code::bad_file, {"metadata key 0", "1 to 65535"});
  expect_refused(Raw().head(0, 2).kv_u32("k", 1).kv_u32("k", 1).text, Code::bad_file, {"'k'", "each key once"});
  for (uint32_t alignment : {0u, 3u, 48u, 1u << 21})
    expect_refused(Raw().head(0, 1).kv_u32("general.alignment", alignment).text, Code::bad_file,
                   {"general.alignment", "power of two"});
  expect_refused(Raw().head(0, 1).kv_string("general.alignment", "32").text, Code::bad_file, {"general.alignment"});
}

TEST(GgufRead, HostileTensors) {
  auto one = [](std::initializer_list<uint64_t> dims, uint32_t type, uint64_t offset) {
    return Raw().head(1, 0).tensor("t", dims, type, offset).align().zeros(256).text;
  };
  ASSERT_OK(open_bytes(one({8, 8}, 0, 0)));
  ASSERT_OK(open_bytes(one({}, 0, 0)));
  expect_refused(one({1, 1, 1, 1, 1}, 0, 0), Code::bad_file, {"tensor 't'", "at most 4 dimensions", "found 5"});
  expect_refused(one({0}, 0, 0), Code::bad_file, {"tensor 't'", "found 0"});
  expect_refused(one({~uint64_t{0}}, 0, 0), Code::bad_file, {"tensor 't'", "18446744073709551615"});
  const uint64_t big = uint64_t{1} << 32;
  expect_refused(one({big, big}, 0, 0), Code::bad_file, {"tensor 't'", "[4294967296, 4294967296]"});
  expect_refused(one({big, big, big, big}, 0, 0), Code::bad_file, {"tensor 't'"});
  expect_refused(one({uint64_t{1} << 61}, 0, 0), Code::bad_file, {"tensor 't'"});
  expect_refused(one({uint64_t{3} << 61}, 0, 0), Code::bad_file, {"tensor 't'"});
  expect_refused(one({65}, 0, 0), Code::bad_file, {"tensor 't'", "260 bytes at 0", "256 bytes"});
  expect_refused(one({8}, 0, 256), Code::bad_file, {"tensor 't'", "truncated"});
  expect_refused(one({8}, 0, ~uint64_t{31}), Code::bad_file, {"tensor 't'", "truncated"});
  expect_refused(one({8}, 0, 4), Code::bad_file, {"tensor 't'", "multiple of 32", "found 4"});
  expect_refused(one({31}, 8, 0), Code::bad_file, {"tensor 't'", "multiple of 32 (q8_0)", "[31]"});
  expect_refused(one({128}, 12, 0), Code::bad_file, {"tensor 't'", "multiple of 256 (q4_k)"});
  expect_refused(one({}, 8, 0), Code::bad_file, {"tensor 't'", "multiple of 32"});
  expect_refused(one({32}, 20, 0), Code::unsupported, {"tensor 't'", "type 20 (iq4_nl)"});
  expect_refused(one({32}, 999, 0), Code::unsupported, {"tensor 't'", "found type 999"});
  expect_refused(small_file(0, 0), Code::bad_file, {"tensors 'a' and 'b'", "overlap"});
  expect_refused(small_file(32, 0), Code::bad_file, {"tensors 'b' and 'a'", "overlap"});
  expect_refused(small_file(0, 32, 99), Code::bad_file, {"tensor 'b'", "truncated"});
  ASSERT_OK(open_bytes(small_file(96, 0, 128)));  // any order, and gaps, are fine
  expect_refused(Raw().head(2, 0).tensor("t", {8}, 0, 0).tensor("t", {8}, 0, 32).align().zeros(64).text, Code::bad_file,
                 {"tensor 't'", "each name once"});
  expect_refused(Raw().head(1, 0).tensor("", {8}, 0, 0).align().zeros(64).text, Code::bad_file, {"tensor 0"});
}

TEST(GgufRead, Alignment) {
  Raw r;
  r.head(2, 1).kv_u32("general.alignment", 8).tensor("a", {1}, 0, 0).tensor("b", {1}, 0, 8).align(8);
  const size_t data = r.text.size();
  r.zeros(12);
  ASSERT_OK_AND(auto file, open_bytes(r.text));
  EXPECT_EQ(file->find("b")->offset, data + 8);
}

std::string part(int no, int count, std::string_view tensor, int total, bool first) {
  Raw r;
  r.head(1, first ? 4 : 3);
  r.kv("split.no", 2).put<uint16_t>(static_cast<uint16_t>(no));
  r.kv("split.count", 2).put<uint16_t>(static_cast<uint16_t>(count));
  r.kv("split.tensors.count", 5).put<int32_t>(total);
  if (first) r.kv_string("general.architecture", "llama");
  r.tensor(tensor, {8}, 0, 0).align().zeros(31).u8(static_cast<uint8_t>(no));
  return r.text;
}

MemoryHost split_host() {
  MemoryHost host;
  host.files["d/m-00001-of-00003.gguf"] = part(0, 3, "a", 3, true);
  host.files["d/m-00002-of-00003.gguf"] = part(1, 3, "b", 3, false);
  host.files["d/m-00003-of-00003.gguf"] = part(2, 3, "c", 3, false);
  return host;
}

TEST(GgufSplit, AnyPartOpensAll) {
  MemoryHost host = split_host();
  for (int given = 1; given <= 3; ++given) {
    for (bool map : {true, false}) {
      host.map = map;
      ASSERT_OK_AND(auto file, run(open_tensor_file(host, "d/m-0000" + std::to_string(given) + "-of-00003.gguf")));
      EXPECT_EQ(file->parts(), 3);
      EXPECT_EQ(file->metadata().keys(), (std::vector<std::string>{"general.architecture"}));
      int number = 0;
      for (const char* name : {"a", "b", "c"}) {
        const TensorInfo* t = file->find(name);
        ASSERT_NE(t, nullptr) << name;
        EXPECT_EQ(t->part, number);
        std::byte last[32];
        ASSERT_OK(run(file->source(t->part).read(t->offset, last)));
        EXPECT_EQ(static_cast<int>(last[31]), number++);
      }
    }
  }
}

TEST(GgufSplit, Damage) {
  auto expect = [](MemoryHost& host, const std::string& path, Code code, std::string_view part) {
    auto file = run(open_tensor_file(host, path));
    ASSERT_FALSE(file.has_value());
    const std::string line = file.error().message();
    EXPECT_EQ(code_name(file.error().code), code_name(code)) << line;
    EXPECT_NE(line.find(part), line.npos) << line;
  };
  const std::string first = "d/m-00001-of-00003.gguf", second = "d/m-00002-of-00003.gguf";
  MemoryHost host = split_host();
  host.files.erase(second);
  expect(host, first, Code::not_found, "part 2 of 3");
  host = split_host();
  host.files[second] = part(2, 3, "b", 3, false);
  expect(host, first, Code::bad_file, "split.no");
  host = split_host();
  host.files[second] = part(1, 2, "b", 3, false);
  expect(host, first, Code::bad_file, "split.count");
  expect(host, second, Code::bad_file, "'-00001-of-00002.gguf'");
  host = split_host();
  host.files[second] = part(1, 3, "a", 3, false);
  expect(host, first, Code::bad_file, "tensor 'a'");
  host = split_host();
  host.files[first] = part(0, 3, "a", 4, true);
  expect(host, first, Code::bad_file, "split.tensors.count");
  host = split_host();
  host.files["renamed.gguf"] = host.files[first];
  expect(host, "renamed.gguf", Code::bad_file, "names that the parts were published under");
  host = split_host();
  host.files[second] = "junk";
  expect(host, first, Code::bad_file, second);
}

}  // namespace
}  // namespace weft::test
