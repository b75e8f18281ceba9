#include "base/result.h"

#include "base/utf8.h"

namespace weft {
namespace {

struct Row {
  std::string_view name, meaning, hint;
};

constexpr Row kRows[] = {
#define WEFT_ERROR(enumerator, name, meaning, hint) {name, meaning, hint},
#include "base/errors.def"
#undef WEFT_ERROR
};

const Row& row(Code code) {
  auto index = static_cast<size_t>(code);
  return index < std::size(kRows) ? kRows[index] : kRows[static_cast<size_t>(Code::internal)];
}

constexpr size_t kMaxPart = 200;

void append_part(std::string& out, std::string_view part) {
  std::string safe = escape_for_message(part.substr(0, kMaxPart));
  out += safe;
  if (part.size() > kMaxPart) out += "…";
}

}  // namespace

std::string_view code_name(Code code) { return row(code).name; }
std::string_view code_meaning(Code code) { return row(code).meaning; }
std::string_view code_hint(Code code) { return row(code).hint; }
int code_count() { return static_cast<int>(std::size(kRows)); }

std::string Error::message() const {
  std::string out;
  if (!where.empty()) {
    append_part(out, where);
    out += ": ";
  }
  append_part(out, what);
  if (!expected.empty()) {
    out += ": expected ";
    append_part(out, expected);
    if (!found.empty()) out += ",";
  }
  if (!found.empty()) {
    out += expected.empty() ? ": found " : " found ";
    append_part(out, found);
  }
  std::string_view way_out = hint.empty() ? code_hint(code) : std::string_view(hint);
  if (!way_out.empty()) {
    out += " (";
    append_part(out, way_out);
    out += ")";
  }
  out += " [";
  out += code_name(code);
  out += "]";
  return out;
}

std::unexpected<Error> fail(Code code, std::string where, std::string what, std::string expected, std::string found,
                            std::string hint) {
  return std::unexpected<Error>(
      Error{code, std::move(where), std::move(what), std::move(expected), std::move(found), std::move(hint)});
}

}  // namespace weft
