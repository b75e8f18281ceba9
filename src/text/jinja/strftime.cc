// The C library's strftime in the C locale, from a date written as text: no clock and no time zone are read.
#include <array>
#include <cstdio>

#include "text/jinja/interp.h"

namespace weft::jinja {

namespace {

constexpr std::string_view kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                        "July",    "August",   "September", "October", "November", "December"};

bool leap(int year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

struct Moment {
  int year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0;

  explicit Moment(std::string_view iso) {
    int* const fields[] = {&year, &month, &day, &hour, &minute, &second};
    size_t at = 0;
    for (int* field : fields) {
      while (at < iso.size() && (iso[at] < '0' || iso[at] > '9')) ++at;
      if (at == iso.size()) break;
      size_t most = field == &year ? 4 : 2;
      for (*field = 0; most > 0 && at < iso.size() && iso[at] >= '0' && iso[at] <= '9'; ++at, --most) {
        *field = *field * 10 + (iso[at] - '0');
      }
    }
    if (month < 1 || month > 12) month = 1;
  }
  int year_day() const {  // from 1
    constexpr int kBefore[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return kBefore[month - 1] + day + (month > 2 && leap(year) ? 1 : 0);
  }
  int week_day() const {  // from Sunday = 0; Sakamoto's method
    constexpr int kShift[] = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
    int y = month < 3 ? year - 1 : year;
    return (y + y / 4 - y / 100 + y / 400 + kShift[month - 1] + day) % 7;
  }
  // The year and week of ISO 8601.
  std::array<int, 2> iso_week() const {
    int monday_based = (week_day() + 6) % 7;
    int week = (year_day() - 1 - monday_based + 10) / 7;
    auto weeks_in = [](int y) {
      auto dec31 = [](int each) { return (each + each / 4 - each / 100 + each / 400) % 7; };
      return dec31(y) == 4 || dec31(y - 1) == 3 ? 53 : 52;
    };
    if (week < 1) return {year - 1, weeks_in(year - 1)};
    if (week > weeks_in(year)) return {year + 1, 1};
    return {year, week};
  }
};

}  // namespace

std::string strftime(std::string_view format, std::string_view iso_time) {
  Moment now(iso_time);
  std::string out;
  auto number = [&](int value, int width, char pad) {
    char buffer[24];
    std::snprintf(buffer, sizeof buffer,
                  pad == '0'   ? "%0*d"
                  : pad == ' ' ? "%*d"
                               : "%.*d",
                  pad == '-' ? 1 : width, value);
    out += buffer;
  };
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    size_t begin = i++;
    char flag = '\0';
    if ((format[i] == '-' || format[i] == '_' || format[i] == '0' || format[i] == '^') && i + 1 < format.size())
      flag = format[i++];
    char pad = flag == '-' ? '-' : flag == '_' ? ' ' : '0';
    char blank = flag == '-' ? '-' : flag == '0' ? '0' : ' ';
    auto name = [&](std::string_view text) {
      for (char c : text) out += flag == '^' && c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    };
    int hour12 = now.hour % 12 == 0 ? 12 : now.hour % 12;
    switch (format[i]) {
      case 'a':
        name(kDays[now.week_day()].substr(0, 3));
        break;
      case 'A':
        name(kDays[now.week_day()]);
        break;
      case 'b':
      case 'h':
        name(kMonths[now.month - 1].substr(0, 3));
        break;
      case 'B':
        name(kMonths[now.month - 1]);
        break;
      case 'c':
        out += strftime("%a %b %e %H:%M:%S %Y", iso_time);
        break;
      case 'C':
        number(now.year / 100, 2, pad);
        break;
      case 'd':
        number(now.day, 2, pad);
        break;
      case 'D':
      case 'x':
        out += strftime("%m/%d/%y", iso_time);
        break;
      case 'e':
        number(now.day, 2, blank);
        break;
      case 'f':
        out += "000000";
        break;
      case 'F':
        out += strftime("%Y-%m-%d", iso_time);
        break;
      case 'g':
        number(now.iso_week()[0] % 100, 2, pad);
        break;
      case 'G':
        number(now.iso_week()[0], 4, pad);
        break;
      case 'H':
        number(now.hour, 2, pad);
        break;
      case 'I':
        number(hour12, 2, pad);
        break;
      case 'j':
        number(now.year_day(), 3, pad);
        break;
      case 'k':
        number(now.hour, 2, blank);
        break;
      case 'l':
        number(hour12, 2, blank);
        break;
      case 'm':
        number(now.month, 2, pad);
        break;
      case 'M':
        number(now.minute, 2, pad);
        break;
      case 'n':
        out += '\n';
        break;
      case 'p':
        out += now.hour < 12 ? "AM" : "PM";
        break;
      case 'P':
        out += now.hour < 12 ? "am" : "pm";
        break;
      case 'r':
        out += strftime("%I:%M:%S %p", iso_time);
        break;
      case 'R':
        out += strftime("%H:%M", iso_time);
        break;
      case 'S':
        number(now.second, 2, pad);
        break;
      case 't':
        out += '\t';
        break;
      case 'T':
      case 'X':
        out += strftime("%H:%M:%S", iso_time);
        break;
      case 'u':
        number(now.week_day() == 0 ? 7 : now.week_day(), 1, pad);
        break;
      case 'U':
        number((now.year_day() + 6 - now.week_day()) / 7, 2, pad);
        break;
      case 'V':
        number(now.iso_week()[1], 2, pad);
        break;
      case 'w':
        number(now.week_day(), 1, pad);
        break;
      case 'W':
        number((now.year_day() + 6 - (now.week_day() + 6) % 7) / 7, 2, pad);
        break;
      case 'y':
        number(now.year % 100, 2, pad);
        break;
      case 'Y':
        number(now.year, flag == '0' || flag == '_' ? 4 : 1, pad);
        break;
      case 'z':
      case 'Z':
        break;  // a date without a time zone
      case '%':
        out += '%';
        break;
      default:
        out += format.substr(begin, i - begin + 1);
    }
  }
  return out;
}

}  // namespace weft::jinja
