// Typed key/value pairs of a model file, in file order. GGUF has them as such; safetensors' config.json is turned
// into the same keys by src/file, so that nothing above knows which file a model came from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace weft {

// Integers of every width are int64_t (uint64_t above 2^63 is refused by the reader), floats are double.
// Arrays hold one element type; arrays of arrays are refused by the reader.
using MetaValue = std::variant<bool, int64_t, double, std::string, std::vector<bool>, std::vector<int64_t>,
                               std::vector<double>, std::vector<std::string>>;

std::string_view meta_type_name(const MetaValue& value);  // "integer", "array of strings" …

class Metadata {
 public:
  explicit Metadata(std::string source = {}) : source_(std::move(source)) {}

  const std::string& source() const { return source_; }  // the file's name, for messages
  const std::vector<std::string>& keys() const { return order_; }
  const MetaValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }
  void set(std::string key, MetaValue value);  // replaces
  void remove(std::string_view key);

  // The value of a key that must be there and have that type. An integer serves as a double; a bool does not
  // serve as an integer. T: bool, int64_t, double, std::string or a vector of one of these.
  template <class T>
  Result<T> get(std::string_view key) const;
  // The same where the key may be absent; a wrong type is still an error.
  template <class T>
  Result<T> get_or(std::string_view key, T fallback) const;
  // Without a copy; nullptr when absent or of another type.
  template <class T>
  const T* peek(std::string_view key) const {
    const MetaValue* value = find(key);
    return value ? std::get_if<T>(value) : nullptr;
  }

 private:
  std::string source_;
  std::vector<std::string> order_;
  std::map<std::string, MetaValue, std::less<>> values_;
};

}  // namespace weft
