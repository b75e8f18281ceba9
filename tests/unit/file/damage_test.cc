// A good file cut at every offset, with bytes changed, and with numbers of every size in every place: always a file
// whose ranges are inside it, or one named error, and never memory out of proportion.
#include <random>

#include "file/gguf.h"
#include "file/gguf_writer.h"
#include "file/ranges.h"
#include "unit/file/count_allocations.h"
#include "unit/file/gguf_bytes.h"
#include "unit/file/memory_host.h"

namespace weft::test {
namespace {

// A source that shares its bytes: opening copies nothing, so that allocations are the reader's.
class View : public ByteSource {
 public:
  View(std::span<const char> bytes, bool map) : bytes_(bytes), map_(map) {}
  const std::string& name() const override { return name_; }
  uint64_t size() const override { return bytes_.size(); }
  Task<Status> read(uint64_t offset, std::span<std::byte> out) override {
    EXPECT_LE(offset, bytes_.size());
    EXPECT_LE(out.size(), bytes_.size() - offset);
    ++reads;
    if (!out.empty()) std::memcpy(out.data(), bytes_.data() + offset, out.size());
    co_return Status{};
  }
  const std::byte* mapped() const override {
    return map_ ? reinterpret_cast<const std::byte*>(bytes_.data()) : nullptr;
  }
  static inline int reads = 0;

 private:
  std::string name_ = "m.gguf";
  std::span<const char> bytes_;
  bool map_;
};

class ViewHost : public TestHost {
 public:
  Result<std::unique_ptr<ByteSource>> open(const std::string& path) override {
    if (path != "m.gguf") return fail(Code::not_found, path, "file", "a file", "none");
    return std::make_unique<View>(bytes, map);
  }
  std::span<const char> bytes;
  bool map = true;
};

// True if it opened. Either way what comes out must be in order.
bool check_outcome(ViewHost& host) {
  auto file = run(open_tensor_file(host, "m.gguf"));
  if (!file) {
    const Error& e = file.error();
    EXPECT_TRUE(e.code == Code::bad_file || e.code == Code::unsupported || e.code == Code::limit ||
                e.code == Code::not_found)
        << e.message();
    EXPECT_TRUE(e.where.starts_with("m.gguf")) << e.message();
    EXPECT_FALSE(e.what.empty());
    return false;
  }
  for (const TensorInfo& t : (*file)->tensors()) {
    const uint64_t size = (*file)->source(t.part).size();
    EXPECT_TRUE(t.offset <= size && t.bytes <= size - t.offset) << t.name;
    const auto implied = tensor_bytes(t.dtype, t.shape);
    EXPECT_TRUE(implied && *implied == t.bytes) << t.name;
  }
  return true;
}

struct StringSink : ByteSink {
  const std::string& name() const override { return label; }
  Status write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return {};
  }
  Status commit() override { return {}; }
  std::string label = "sink", text;
};

// About `tokens` * 24 bytes of vocabulary, then 40 tensors and 100 KB of data.
std::string model_like(int tokens) {
  StringSink sink;
  GgufWriter writer(sink);
  EXPECT_OK(writer.set("general.architecture", std::string("llama")));
  EXPECT_OK(writer.set("llama.block_count", int64_t{4}));
  std::vector<std::string> words;
  std::vector<double> scores;
  std::vector<int64_t> types;
  for (int i = 0; i < tokens; ++i) {
    words.push_back("token" + std::to_string(i));
    scores.push_back(-i);
    types.push_back(1);
  }
  EXPECT_OK(writer.set("tokenizer.ggml.tokens", words));
  EXPECT_OK(writer.set("tokenizer.ggml.scores", scores));
  EXPECT_OK(writer.set("tokenizer.ggml.token_type", types));
  EXPECT_OK(writer.set("flags", std::vector<bool>(50, true)));
  for (int i = 0; i < 40; ++i) {
    const DType type = i % 3 == 0 ? DType::f32 : i % 3 == 1 ? DType::q8_0 : DType::q4_k;
    EXPECT_OK(writer.add_tensor("blk." + std::to_string(i) + ".weight", type, {3, 256}));
  }
  EXPECT_OK(writer.begin());
  const std::string data(writer.file_bytes(), 'x');
  for (int i = 0; i < 40; ++i) {
    const DType type = i % 3 == 0 ? DType::f32 : i % 3 == 1 ? DType::q8_0 : DType::q4_k;
    EXPECT_OK(writer.write(std::as_bytes(std::span(data)).first(static_cast<size_t>(3 * row_bytes(type, 256)))));
  }
  EXPECT_OK(writer.end());
  return sink.text;
}

TEST(GgufDamage, EveryTruncationIsANamedError) {
  const std::string good = model_like(3000);
  ASSERT_GT(good.size(), size_t{100'000});
  ViewHost host;
  host.bytes = good;
  ASSERT_TRUE(check_outcome(host));
  // The last tensor may lack its padding only.
  const size_t needed = good.size() - 31;
  std::mt19937_64 random(1);
  std::vector<size_t> cuts;
  for (size_t cut = 0; cut < 65536; ++cut) cuts.push_back(cut);
  for (int i = 0; i < 2000; ++i) cuts.push_back(65536 + random() % (needed - 65536));
  for (bool map : {true, false}) {
    host.map = map;
    for (size_t cut : cuts) {
      if (!map && cut % 8 != 0) continue;  // the same parser behind another way of reading
      host.bytes = std::span(good).first(cut);
      ASSERT_FALSE(check_outcome(host)) << "opened when cut to " << cut;
    }
  }
}

TEST(GgufDamage, ChangedBytes) {
  const std::string good = model_like(200);
  std::string bad = good;
  ViewHost host;
  host.bytes = bad;
  std::mt19937_64 random(2);
  const size_t header = good.find("xxxx");
  int opened = 0;
  for (int i = 0; i < 60000; ++i) {
    const size_t at = random() % header;
    bad[at] = static_cast<char>(random());
    const size_t second = random() % 8 == 0 ? random() % header : at;
    bad[second] = static_cast<char>(i % 2 ? 0xFF : random());
    host.map = i % 4 != 0;
    opened += check_outcome(host);
    bad[at] = good[at];
    bad[second] = good[second];
  }
  EXPECT_GT(opened, 1000) << "letters of a token may change";
  EXPECT_LT(opened, 59000) << "damage to the structure must be seen";
}

// A number of any size in any place must not make the reader allocate for it.
TEST(GgufDamage, HostileNumbersAllocateNothing) {
  const std::string good = model_like(100);
  std::string bad = good;
  ViewHost host;
  host.bytes = bad;
  const size_t header = good.find("xxxx");
  for (uint64_t value : {~uint64_t{0}, uint64_t{1} << 62, uint64_t{1} << 40, uint64_t{1} << 32, uint64_t{1} << 24}) {
    for (size_t at = 8; at + 8 <= header; at += 1) {
      std::memcpy(bad.data() + at, &value, 8);
      AllocationCount count;
      check_outcome(host);
      ASSERT_LT(count.largest(), size_t{200'000}) << "value " << value << " at " << at;
      ASSERT_LT(count.total(), size_t{4'000'000}) << "value " << value << " at " << at;
      std::memcpy(bad.data() + at, good.data() + at, 8);
    }
  }
}

TEST(GgufOpen, ALargeVocabularyOpensQuickly) {
  std::vector<std::string> words, merges;
  for (int i = 0; i < 150'000; ++i) words.push_back("token" + std::to_string(i));
  for (int i = 0; i < 150'000; ++i) merges.push_back("left" + std::to_string(i) + " right" + std::to_string(i));
  StringSink sink;
  GgufWriter writer(sink);
  ASSERT_OK(writer.set("tokenizer.ggml.tokens", words));
  ASSERT_OK(writer.set("tokenizer.ggml.merges", merges));
  ASSERT_OK(writer.set("tokenizer.ggml.token_type", std::vector<int64_t>(150'000, 1)));
  ASSERT_OK(writer.add_tensor("t", DType::f32, {8}));
  ASSERT_OK(writer.begin());
  ASSERT_OK(writer.write(std::as_bytes(std::span(words[0].data(), 0))));
  const std::byte data[32] = {};
  ASSERT_OK(writer.write(data));
  ASSERT_OK(writer.end());
  ViewHost host;
  host.bytes = sink.text;
  for (bool map : {true, false}) {
    host.map = map;
    double best = 1e9;
    View::reads = 0;
    for (int i = 0; i < 3; ++i) {
      const double begin = host.now();
      ASSERT_OK(run(open_tensor_file(host, "m.gguf")));
      best = std::min(best, host.now() - begin);
    }
    std::printf("[ figure   ] %.1f MB of header, %s: opened in %.1f ms\n", static_cast<double>(sink.text.size()) / 1e6,
                map ? "mapped" : "read", best * 1e3);
    EXPECT_LE(View::reads, 3 * 5);  // the first bytes, then windows of 1, 4, 16 MB
    EXPECT_LT(best, 2.0);           // of any build on any machine; release takes some 20 ms
  }
}

}  // namespace
}  // namespace weft::test
