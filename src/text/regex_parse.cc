// Pattern text → tree → instructions. The syntax is the common part of Oniguruma's and Rust's, which is what
// tokenizer.json files are written for.
#include <algorithm>
#include <optional>

#include "text/regex.h"
#include "text/unicode.h"

namespace weft {
namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxCode = 8192;
constexpr uint32_t kMaxRepeat = 1000;
constexpr uint32_t kUnbounded = 0xFFFFFFFF;

uint32_t category_mask(std::string_view name) {
  static constexpr std::string_view kNames =
      "CnLuLlLtLmLoMnMcMeNdNlNoPcPdPsPePiPfPoSmScSkSoZsZlZpCcCfCsCo";  // the order of Category
  if (name.size() == 1) {
    switch (name[0]) {
      case 'L':
        return kLetters;
      case 'M':
        return kMarks;
      case 'N':
        return kNumbers;
      case 'P':
        return kPunctuation;
      case 'S':
        return kSymbols;
      case 'Z':
        return kSeparators;
      case 'C':
        return kOthers;
      default:
        return 0;
    }
  }
  for (size_t i = 0; name.size() == 2 && i < kNames.size(); i += 2)
    if (kNames.substr(i, 2) == name) return 1u << (i / 2);
  return 0;
}

struct Node {
  enum Kind { empty, set, sequence, choice, repeat, begin, end, ahead, not_ahead } kind = empty;
  uint32_t set_index = 0;
  std::vector<Node> kids;
  uint32_t min = 1, max = 1;  // repeat
  bool lazy = false, possessive = false;
};

bool bounded(const Node& node) {
  if (node.kind == Node::repeat && node.max == kUnbounded) return false;
  return std::all_of(node.kids.begin(), node.kids.end(), bounded);
}

}  // namespace

class RegexParser {
 public:
  RegexParser(std::string_view pattern, const std::string& where) : text_(pattern), where_(where) {}

  Result<Regex> parse() {
    WEFT_TRY(Node root, choice(0));
    if (at_ < text_.size()) return bad("an unmatched )");
    WEFT_CHECK_OK(emit(root));
    regex_.code_.push_back({Regex::Op::match});
    for (CharSet& set : regex_.sets_) set.finish();
    return std::move(regex_);
  }

 private:
  std::unexpected<Error> bad(std::string found) const {
    return fail(Code::unsupported, where_, "pattern " + std::string(text_), "classes, groups, quantifiers, look-ahead",
                std::move(found) + " at byte " + std::to_string(at_));
  }
  bool done() const { return at_ >= text_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  Node add_set(CharSet set) {
    if (ignore_case_) set.fold_case();
    regex_.sets_.push_back(std::move(set));
    return {.kind = Node::set, .set_index = static_cast<uint32_t>(regex_.sets_.size() - 1)};
  }

  Result<Node> choice(int depth) {
    if (depth > kMaxDepth) return fail(Code::limit, where_, "pattern nesting", "at most 64 levels", "more");
    const bool outer_case = ignore_case_;
    Node node{.kind = Node::choice};
    do {
      WEFT_TRY(Node branch, sequence(depth));
      node.kids.push_back(std::move(branch));
    } while (take("|"));
    ignore_case_ = outer_case;
    return node.kids.size() == 1 ? std::move(node.kids[0]) : std::move(node);
  }

  Result<Node> sequence(int depth) {
    Node node{.kind = Node::sequence};
    while (!done() && peek() != '|' && peek() != ')') {
      WEFT_TRY(Node item, atom(depth));
      WEFT_CHECK_OK(quantifiers(item));
      node.kids.push_back(std::move(item));
    }
    return node;
  }

  Status quantifiers(Node& item) {
    uint32_t min = 1, max = 1;
    if (take("?")) {
      min = 0;
    } else if (take("*")) {
      min = 0, max = kUnbounded;
    } else if (take("+")) {
      max = kUnbounded;
    } else if (peek() == '{' && peek(1) >= '0' && peek(1) <= '9') {
      ++at_;
      min = number();
      max = min;
      if (take(",")) max = peek() == '}' ? kUnbounded : number();
      if (!take("}") || min > kMaxRepeat || (max != kUnbounded && (max > kMaxRepeat || max < min)))
        return bad("a repetition {m,n} out of order or above 1000");
    } else {
      return {};
    }
    Node node{.kind = Node::repeat, .min = min, .max = max};
    node.lazy = take("?");
    node.possessive = !node.lazy && take("+");
    if (item.kind != Node::set && (node.possessive || item.kind >= Node::repeat))
      return bad("a quantifier of this kind on something other than a character or group");
    node.kids.push_back(std::move(item));
    item = std::move(node);
    return {};
  }

  uint32_t number() {
    uint32_t value = 0;
    while (peek() >= '0' && peek() <= '9' && value < 100000)
      value = value * 10 + static_cast<uint32_t>(text_[at_++] - '0');
    return value;
  }

  Result<Node> atom(int depth) {
    if (take("(")) return group(depth);
    if (take("^")) return Node{.kind = Node::begin};
    if (take("$")) return Node{.kind = Node::end};
    CharSet set;
    if (take(".")) {
      set.add_range('\n', '\n');
      set.negate();
    } else if (take("[")) {
      WEFT_TRY(set, char_class(depth + 1));
    } else if (peek() == '*' || peek() == '+' || peek() == '?') {
      return bad("a quantifier without a subject");
    } else {
      WEFT_TRY(auto single, element(set));
      if (single) set.add_range(*single, *single);
    }
    return add_set(std::move(set));
  }

  Result<Node> group(int depth) {
    const bool outer_case = ignore_case_;
    Node::Kind kind = Node::empty;
    if (take("?i)")) {  // from here to the end of the enclosing group
      ignore_case_ = true;
      return Node{};
    }
    if (take("?i:"))
      ignore_case_ = true;
    else if (take("?="))
      kind = Node::ahead;
    else if (take("?!"))
      kind = Node::not_ahead;
    else if (!take("?:") && peek() == '?')
      return bad("a group of unknown kind");
    WEFT_TRY(Node body, choice(depth + 1));
    ignore_case_ = outer_case;
    if (!take(")")) return bad("a missing )");
    if (kind == Node::empty) {
      if (body.kind != Node::choice && body.kind != Node::set) body = wrap(Node::sequence, std::move(body));
      return body;
    }
    if (!bounded(body)) return bad("a look-ahead of unbounded width");
    return wrap(kind, std::move(body));
  }

  static Node wrap(Node::Kind kind, Node body) {
    Node node{.kind = kind};
    node.kids.push_back(std::move(body));
    return node;
  }

  // One character, or a class such as \s, which is added to `set` (then no character is returned).
  Result<std::optional<char32_t>> element(CharSet& set) {
    if (done()) return bad("the end of the pattern");
    if (!take("\\")) {
      const Utf8Char c = decode_utf8(text_, at_);
      if (!c.valid) return bad("a byte that is not UTF-8");
      at_ += c.size;
      return c.code;
    }
    if (done()) return bad("a lone backslash");
    const char c = text_[at_++];
    CharSet named;
    switch (c) {
      case 'n':
        return U'\n';
      case 'r':
        return U'\r';
      case 't':
        return U'\t';
      case 'f':
        return U'\f';
      case 'v':
        return U'\v';
      case 'x':
      case 'u':
        return hex(c == 'x' ? 2 : 4);
      case 's':
      case 'S':
        named.add_space();
        break;
      case 'd':
      case 'D':
        named.add_categories(bit(Category::nd));
        break;
      case 'w':
      case 'W':
        named.add_categories(kLetters | kMarks | bit(Category::nd) | bit(Category::pc));
        break;
      case 'p':
      case 'P':
        WEFT_CHECK_OK(property(named));
        break;
      default:
        if (static_cast<uint8_t>(c) < 0x80 &&
            in_category(static_cast<uint8_t>(c), kPunctuation | kSymbols | kSeparators))
          return static_cast<uint8_t>(c);
        --at_;
        return bad(std::string("\\") + c);
    }
    if (c == 'S' || c == 'D' || c == 'W' || c == 'P') named.negate();
    set.add(std::move(named));
    return std::nullopt;
  }

  Status property(CharSet& set) {
    if (!take("{")) return bad("\\p without {");
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos) return bad("\\p{ without }");
    std::string_view name = text_.substr(at_, end - at_);
    if (name.starts_with('^')) set.negate(), name.remove_prefix(1);
    if (name == "Han" || name == "IsHan" || name == "script=Han" || name == "sc=Han") {
      set.add_han();
    } else if (const uint32_t mask = category_mask(name)) {
      set.add_categories(mask);
    } else {
      return bad("the property " + std::string(name));
    }
    at_ = end + 1;
    return {};
  }

  Result<std::optional<char32_t>> hex(int digits) {
    const bool braces = take("{");
    uint32_t value = 0;
    int count = 0;
    for (; count < (braces ? 6 : digits); ++count) {
      const char c = peek();
      const int digit = c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
      if (digit < 0) break;
      value = value * 16 + static_cast<uint32_t>(digit);
      ++at_;
    }
    if (count == 0 || (braces ? !take("}") : count != digits) || value > 0x10FFFF) return bad("a malformed \\x or \\u");
    return static_cast<char32_t>(value);
  }

  Result<CharSet> char_class(int depth) {
    if (depth > kMaxDepth) return fail(Code::limit, where_, "pattern nesting", "at most 64 levels", "more");
    CharSet set;
    const bool negated = take("^");
    for (bool first = true;; first = false) {
      if (done()) return bad("a missing ]");
      if (!first && take("]")) break;
      if (take("[")) {
        if (peek() == ':') return bad("a POSIX class");
        WEFT_TRY(CharSet inner, char_class(depth + 1));
        set.add(std::move(inner));
        continue;
      }
      if (take("&&")) {  // the items that follow, up to the same ], are what those before are cut with
        WEFT_TRY(CharSet rest, char_class(depth + 1));
        set.cut(std::move(rest));
        break;
      }
      WEFT_TRY(auto low, element(set));
      if (!low) continue;
      if (peek() != '-' || peek(1) == ']' || peek(1) == '\0') {
        set.add_range(*low, *low);
        continue;
      }
      ++at_;
      WEFT_TRY(auto high, element(set));
      if (!high || *high < *low) return bad("a range out of order");
      set.add_range(*low, *high);
    }
    if (negated) set.negate();
    return set;
  }

  Status put(Regex::Op op, uint32_t a = 0, uint32_t b = 0) {
    if (regex_.code_.size() >= kMaxCode) return fail(Code::limit, where_, "pattern size", "at most 8192 steps", "more");
    regex_.code_.push_back({op, a, b});
    return {};
  }
  uint32_t here() const { return static_cast<uint32_t>(regex_.code_.size()); }

  Status emit(const Node& node) {
    // Repetition copies its body; an empty body adds no code, so copies are counted as well.
    if (++emitted_ > kMaxCode) return fail(Code::limit, where_, "pattern size", "at most 8192 parts", "more");
    switch (node.kind) {
      case Node::empty:
        return {};
      case Node::set:
        return put(Regex::Op::set, node.set_index);
      case Node::begin:
        return put(Regex::Op::begin);
      case Node::end:
        return put(Regex::Op::end);
      case Node::sequence:
        for (const Node& kid : node.kids) WEFT_CHECK_OK(emit(kid));
        return {};
      case Node::ahead:
      case Node::not_ahead: {
        const uint32_t start = here();
        WEFT_CHECK_OK(put(node.kind == Node::ahead ? Regex::Op::ahead : Regex::Op::not_ahead));
        WEFT_CHECK_OK(emit(node.kids[0]));
        WEFT_CHECK_OK(put(Regex::Op::match));
        regex_.code_[start].a = here();
        return {};
      }
      case Node::choice: {
        std::vector<uint32_t> jumps;
        for (size_t i = 0; i < node.kids.size(); ++i) {
          const uint32_t start = here();
          const bool last = i + 1 == node.kids.size();
          if (!last) WEFT_CHECK_OK(put(Regex::Op::split, start + 1));
          WEFT_CHECK_OK(emit(node.kids[i]));
          if (last) break;
          jumps.push_back(here());
          WEFT_CHECK_OK(put(Regex::Op::jump));
          regex_.code_[start].b = here();
        }
        for (uint32_t jump : jumps) regex_.code_[jump].a = here();
        return {};
      }
      case Node::repeat:
        return emit_repeat(node);
    }
    return {};
  }

  Status emit_repeat(const Node& node) {
    const Node& body = node.kids[0];
    for (uint32_t i = 0; i < node.min; ++i) WEFT_CHECK_OK(emit(body));
    if (body.kind == Node::set && !node.lazy && (node.max == kUnbounded || node.possessive)) {
      if (node.max == kUnbounded) return put(node.possessive ? Regex::Op::run : Regex::Op::star, body.set_index);
      for (uint32_t i = node.min; i < node.max; ++i) WEFT_CHECK_OK(put(Regex::Op::maybe, body.set_index));
      return {};
    }
    if (node.max == kUnbounded) {
      const uint32_t start = here();
      WEFT_CHECK_OK(put(Regex::Op::split));
      WEFT_CHECK_OK(emit(body));
      WEFT_CHECK_OK(put(Regex::Op::jump, start));
      set_split(start, node.lazy);
      return {};
    }
    std::vector<uint32_t> splits;
    for (uint32_t i = node.min; i < node.max; ++i) {
      splits.push_back(here());
      WEFT_CHECK_OK(put(Regex::Op::split));
      WEFT_CHECK_OK(emit(body));
    }
    for (uint32_t split : splits) set_split(split, node.lazy);
    return {};
  }
  void set_split(uint32_t split, bool lazy) {
    regex_.code_[split].a = lazy ? here() : split + 1;
    regex_.code_[split].b = lazy ? split + 1 : here();
  }

  std::string_view text_;
  const std::string& where_;
  size_t at_ = 0;
  size_t emitted_ = 0;
  bool ignore_case_ = false;
  Regex regex_;
};

Result<Regex> Regex::compile(std::string_view pattern, const std::string& where) {
  if (pattern.size() > 65536) return fail(Code::limit, where, "pattern length", "at most 65536 bytes", "more");
  return RegexParser(pattern, where).parse();
}

}  // namespace weft
