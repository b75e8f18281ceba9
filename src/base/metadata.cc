#include "base/metadata.h"

#include <algorithm>

namespace weft {
namespace {

constexpr std::string_view kNames[] = {"bool",           "integer",           "float",           "string",
                                       "array of bools", "array of integers", "array of floats", "array of strings"};

template <class T>
constexpr std::string_view type_name() {
  return kNames[MetaValue(T{}).index()];
}

template <class T>
std::optional<T> convert(const MetaValue& value) {
  if (const T* exact = std::get_if<T>(&value)) return *exact;
  if constexpr (std::is_same_v<T, double>) {
    if (const int64_t* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  }
  if constexpr (std::is_same_v<T, std::vector<double>>) {
    if (const auto* integers = std::get_if<std::vector<int64_t>>(&value))
      return std::vector<double>(integers->begin(), integers->end());
  }
  return std::nullopt;
}

}  // namespace

std::string_view meta_type_name(const MetaValue& value) { return kNames[value.index()]; }

const MetaValue* Metadata::find(std::string_view key) const {
  auto it = values_.find(key);
  return it == values_.end() ? nullptr : &it->second;
}

void Metadata::set(std::string key, MetaValue value) {
  auto [it, added] = values_.insert_or_assign(key, std::move(value));
  if (added) order_.push_back(std::move(key));
}

void Metadata::remove(std::string_view key) {
  auto it = values_.find(key);
  if (it == values_.end()) return;
  order_.erase(std::find(order_.begin(), order_.end(), key));
  values_.erase(it);
}

template <class T>
Result<T> Metadata::get(std::string_view key) const {
  const MetaValue* value = find(key);
  if (!value)
    return fail(Code::bad_file, source_, "metadata key '" + std::string(key) + "'", std::string(type_name<T>()),
                "no such key");
  if (auto converted = convert<T>(*value)) return *std::move(converted);
  return fail(Code::bad_file, source_, "metadata key '" + std::string(key) + "'", std::string(type_name<T>()),
              std::string(meta_type_name(*value)));
}

template <class T>
Result<T> Metadata::get_or(std::string_view key, T fallback) const {
  return has(key) ? get<T>(key) : Result<T>(std::move(fallback));
}

#define WEFT_INSTANTIATE(T)                                    \
  template Result<T> Metadata::get<T>(std::string_view) const; \
  template Result<T> Metadata::get_or<T>(std::string_view, T) const;
WEFT_INSTANTIATE(bool)
WEFT_INSTANTIATE(int64_t)
WEFT_INSTANTIATE(double)
WEFT_INSTANTIATE(std::string)
WEFT_INSTANTIATE(std::vector<bool>)
WEFT_INSTANTIATE(std::vector<int64_t>)
WEFT_INSTANTIATE(std::vector<double>)
WEFT_INSTANTIATE(std::vector<std::string>)
#undef WEFT_INSTANTIATE

}  // namespace weft
