#include "text/normalizer.h"

#include "base/utf8.h"
#include "text/word_model.h"

namespace weft::text_steps {
namespace {

// Calls put(out, code) for every character; bytes that are not UTF-8 stay as they are.
template <class Put>
std::string map_characters(std::string_view text, Put put) {
  std::string out;
  out.reserve(text.size() + 16);
  for (size_t i = 0; i < text.size();) {
    const Utf8Char c = decode_utf8(text, i);
    if (c.valid)
      put(out, c.code);
    else
      out += text[i];
    i += c.size;
  }
  return out;
}

void append_lower(std::string& out, char32_t code) {
  append_utf8(out, to_lower(code));
  if (code == 0x130) append_utf8(out, 0x307);  // the one unconditional lower case of two characters
}

}  // namespace

TextStep prepend(std::string prefix) {
  return [prefix](std::string text) { return text.empty() ? text : prefix + text; };
}

TextStep replace(std::string from, std::string to) {
  return [from, to](std::string text) {
    if (from.empty()) return text;
    std::string out;
    out.reserve(text.size() + text.size() / 4);
    size_t at = 0;
    for (size_t hit; (hit = text.find(from, at)) != std::string::npos; at = hit + from.size())
      out.append(text, at, hit - at).append(to);
    return out.append(text, at);
  };
}

TextStep replace(std::shared_ptr<const Regex> pattern, std::string to) {
  return [pattern, to](std::string text) {
    std::string out;
    size_t at = 0;
    Regex::Scratch scratch;
    pattern->for_each(text, scratch, [&](size_t begin, size_t end) {
      out.append(text, at, begin - at).append(to);
      at = end;
    });
    return out.append(text, at);
  };
}

TextStep unicode(NormalForm form) {
  return [form](std::string text) { return normalize_utf8(text, form); };
}

TextStep lower_case() {
  return [](std::string text) { return map_characters(text, append_lower); };
}

TextStep strip_accents() {
  return [](std::string text) {
    return map_characters(text, [](std::string& out, char32_t code) {
      if (!in_category(code, kMarks)) append_utf8(out, code);
    });
  };
}

TextStep strip(bool left, bool right) {
  return [left, right](std::string text) {
    size_t begin = 0, end = 0;
    bool seen = false;
    for (size_t i = 0; i < text.size();) {
      const Utf8Char c = decode_utf8(text, i);
      if (!is_space(c.code)) {
        if (!seen) begin = i;
        seen = true;
        end = i + static_cast<size_t>(c.size);
      }
      i += static_cast<size_t>(c.size);
    }
    if (!seen) return left || right ? std::string() : text;
    if (!right) end = text.size();
    if (!left) begin = 0;
    return text.substr(begin, end - begin);
  };
}

TextStep chars_map(std::shared_ptr<const CharsMap> map) {
  return [map](std::string text) { return map->apply(text); };
}

TextStep spaces(bool prefix, bool merge) {
  return [prefix, merge](std::string text) {
    std::string out;
    out.reserve(text.size() + text.size() / 2);
    bool due = prefix;  // a space is due before the next other character
    for (char c : text) {
      if (c != ' ') {
        if (due) out += kSpaceMark;
        due = false;
        out += c;
      } else if (merge) {
        due = prefix || !out.empty();
      } else {
        out += kSpaceMark;
      }
    }
    return out;
  };
}

TextStep bert(Bert options) {
  return [options](std::string text) {
    if (options.clean || options.space_around_cjk)
      text = map_characters(text, [&](std::string& out, char32_t code) {
        if (options.clean) {
          if (is_space(code)) return void(out += ' ');
          // Unassigned characters stay: which they are depends on the version of Unicode.
          if (code == 0 || code == 0xFFFD || in_category(code, kOthers & ~bit(Category::cn))) return;
        }
        const bool apart = options.space_around_cjk && is_cjk_ideograph(code);
        if (apart) out += ' ';
        append_utf8(out, code);
        if (apart) out += ' ';
      });
    if (options.strip_accents)
      text = map_characters(normalize_utf8(text, NormalForm::nfd), [](std::string& out, char32_t code) {
        if (category(code) != Category::mn) append_utf8(out, code);
      });
    return options.lower_case ? map_characters(text, append_lower) : text;
  };
}

}  // namespace weft::text_steps
