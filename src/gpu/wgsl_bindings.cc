#include "gpu/wgsl_bindings.h"

#include <algorithm>
#include <optional>

namespace weft {
namespace {

bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// One word or one other character after another, without white space and comments.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : rest_(text) { next(); }
  std::string_view token() const { return token_; }  // empty at the end
  bool take(std::string_view wanted) {
    if (token_ != wanted) return false;
    next();
    return true;
  }
  void next() {
    skip();
    size_t size = rest_.empty() ? 0 : 1;
    if (size && is_word(rest_[0]))
      while (size < rest_.size() && is_word(rest_[size])) ++size;
    token_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
  }

 private:
  void skip() {
    for (;;) {
      size_t blank = std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size());
      rest_.remove_prefix(blank);
      if (rest_.starts_with("//")) {
        rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
      } else if (rest_.starts_with("/*")) {
        size_t depth = 0, i = 0;
        do {
          std::string_view two = rest_.substr(i, 2);
          if (two == "/*") ++depth;
          if (two == "*/") --depth;
          i += two == "/*" || two == "*/" ? 2 : 1;
        } while (depth && i < rest_.size());
        rest_.remove_prefix(std::min(i, rest_.size()));
      } else {
        return;
      }
    }
  }
  std::string_view rest_, token_;
};

// "(N)"
std::optional<uint32_t> number(Tokens& in) {
  if (!in.take("(")) return std::nullopt;
  uint32_t value = 0;
  if (in.token().empty() || in.token().size() > 4) return std::nullopt;  // WebGPU allows 1000 bindings
  for (char c : in.token()) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<uint32_t>(c - '0');
  }
  in.next();
  return in.take(")") ? std::optional(value) : std::nullopt;
}

std::optional<WgslBinding::Kind> kind(Tokens& in) {
  if (!in.take("var") || !in.take("<")) return std::nullopt;
  if (in.take("uniform")) return WgslBinding::uniform;
  if (!in.take("storage")) return std::nullopt;
  if (!in.take(",")) return WgslBinding::read_only;  // the default of storage
  if (in.take("read")) return WgslBinding::read_only;
  return in.take("read_write") ? std::optional(WgslBinding::storage) : std::nullopt;
}

}  // namespace

std::vector<WgslBinding> wgsl_bindings(std::string_view wgsl) {
  std::vector<WgslBinding> out;
  Tokens in(wgsl);
  while (!in.token().empty()) {
    std::optional<uint32_t> group, binding;
    while (in.take("@")) {  // in any order
      if (in.take("group"))
        group = number(in);
      else if (in.take("binding"))
        binding = number(in);
    }
    if (group == 0u && binding)
      if (auto k = kind(in)) out.push_back({*binding, *k});
    if (in.token() != "@") in.next();
  }
  std::ranges::sort(out, {}, &WgslBinding::number);
  return out;
}

}  // namespace weft
