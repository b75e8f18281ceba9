#include "unit/text/data.h"

#include <cstring>
#include <map>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "support/support.h"

namespace weft::test {
namespace {

class Reader {
 public:
  explicit Reader(std::string bytes) : bytes_(std::move(bytes)) {}
  template <class T>
  T number() {
    CHECK(at_ + sizeof(T) <= bytes_.size());
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  std::string text() {
    const uint64_t size = number<uint64_t>();
    CHECK(size <= bytes_.size() - at_);
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  int64_t integer(uint32_t type) {
    switch (type) {
      case 0:
        return number<uint8_t>();
      case 1:
        return number<int8_t>();
      case 2:
        return number<uint16_t>();
      case 3:
        return number<int16_t>();
      case 4:
        return number<uint32_t>();
      case 5:
        return number<int32_t>();
      case 7:
        return number<uint8_t>();
      default:
        return number<int64_t>();
    }
  }
  double real(uint32_t type) { return type == 6 ? number<float>() : number<double>(); }
  MetaValue value(uint32_t type) {
    if (type == 8) return text();
    if (type == 7) return integer(7) != 0;
    if (type == 6 || type == 12) return real(type);
    if (type != 9) return integer(type);
    const uint32_t item = number<uint32_t>();
    const uint64_t count = number<uint64_t>();
    if (item == 8) return list<std::string>(count, [&] { return text(); });
    if (item == 6 || item == 12) return list<double>(count, [&] { return real(item); });
    return list<int64_t>(count, [&] { return integer(item); });
  }

 private:
  template <class T, class Get>
  std::vector<T> list(uint64_t count, Get get) {
    std::vector<T> out;
    for (uint64_t i = 0; i < count; ++i) out.push_back(get());
    return out;
  }
  std::string bytes_;
  size_t at_ = 0;
};

}  // namespace

Metadata gguf_metadata(const std::string& path) {
  Reader reader(read_text(path));
  CHECK(reader.number<uint32_t>() == 0x46554747);  // "GGUF"
  reader.number<uint32_t>();
  reader.number<uint64_t>();
  Metadata out(path);
  for (uint64_t left = reader.number<uint64_t>(); left > 0; --left) {
    std::string key = reader.text();
    const uint32_t type = reader.number<uint32_t>();
    out.set(std::move(key), reader.value(type));
  }
  return out;
}

std::shared_ptr<const Tokenizer> gguf_tokenizer(const std::string& name) {
  static std::map<std::string, std::shared_ptr<const Tokenizer>> made;
  auto path = shared_data("tokenizers/ggml-vocab-" + name + ".gguf");
  if (!path || made.contains(name)) return path ? made[name] : nullptr;
  auto tokenizer = Tokenizer::from_metadata(gguf_metadata(*path));
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
  CHECK(tokenizer.has_value());
  return made[name] = *tokenizer;
}

std::shared_ptr<const Tokenizer> json_tokenizer(const std::string& name) {
  static std::map<std::string, std::shared_ptr<const Tokenizer>> made;
  auto path = shared_data("tokenizers/json/" + name + "/tokenizer.json");
  if (!path || made.contains(name)) return path ? made[name] : nullptr;
  auto config = shared_data("tokenizers/json/" + name + "/tokenizer_config.json");
  auto tokenizer = Tokenizer::from_json(read_text(*path), config ? read_text(*config) : "", name);
  EXPECT_TRUE(tokenizer.has_value()) << tokenizer.error().message();
  CHECK(tokenizer.has_value());
  return made[name] = *tokenizer;
}

std::vector<VocabTest> vocab_tests(const std::string& name) {
  const std::string path = *shared_data("tokenizers/ggml-vocab-" + name + ".gguf");
  const std::string texts = read_text(path + ".inp"), ids = read_text(path + ".out");
  const std::string separator = "\n__ggml_vocab_test__\n";
  std::vector<VocabTest> out;
  size_t line = 0;
  for (size_t at = 0; at < texts.size();) {
    const size_t end = texts.find(separator, at);
    if (end == std::string::npos) break;  // what follows the last separator is empty
    VocabTest test{.text = texts.substr(at, end - at)};
    const size_t line_end = std::min(ids.find('\n', line), ids.size());
    for (const char* p = ids.c_str() + line; p < ids.c_str() + line_end;) {
      char* after;
      test.ids.push_back(static_cast<int32_t>(std::strtol(p, &after, 10)));
      for (p = after; *p == ' ';) ++p;
    }
    out.push_back(std::move(test));
    line = line_end + 1;
    at = end + separator.size();
  }
  return out;
}

std::vector<int32_t> id_list(const std::string& text) {
  auto json = parse_json(text, "ids");
  CHECK(json.has_value());
  const Json* list = json_member(*json, "token_ids");
  std::vector<int32_t> out;
  for (const Json& id : list ? *list : *json) out.push_back(id.get<int32_t>());
  return out;
}

std::string random_utf8(std::mt19937& random, int characters) {
  static constexpr char32_t kLimits[] = {0x80, 0x80, 0x80, 0x250, 0x3000, 0xA000, 0x20000, 0x10FFFF};
  std::string out;
  for (int i = 0; i < characters; ++i) append_utf8(out, random() % kLimits[random() % 8]);
  return out;
}

std::string random_bytes(std::mt19937& random, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(random());
  return out;
}

}  // namespace weft::test
