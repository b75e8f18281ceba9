#include "run_weft.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

namespace weft::test {
namespace {

[[noreturn]] void become_weft(std::vector<std::string> arguments, const RunOptions& options) {
  for (const auto& [name, value] : options.environment) {
    value.empty() ? unsetenv(name.c_str()) : setenv(name.c_str(), value.c_str(), 1);
  }
  if (options.file_size_limit > 0) {
    signal(SIGXFSZ, SIG_IGN);  // then write() fails with EFBIG instead
    const rlimit limit{static_cast<rlim_t>(options.file_size_limit), static_cast<rlim_t>(options.file_size_limit)};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<char*> argv{const_cast<char*>("weft")};
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  execv(WEFT_PROGRAM, argv.data());
  _exit(126);
}

int exit_status(int raw) { return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw); }

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

Ran weft(std::vector<std::string> arguments, const RunOptions& options) {
  int in[2], out[2], err[2];
  if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) std::abort();
  const pid_t child = fork();
  if (child == 0) {
    dup2(in[0], 0), dup2(out[1], 1), dup2(err[1], 2);
    become_weft(std::move(arguments), options);
  }
  close(in[0]), close(out[1]), close(err[1]);
  Ran ran;
  signal(SIGPIPE, SIG_IGN);
  size_t sent = 0;
  const double deadline = options.interrupt_after > 0 ? now() + options.interrupt_after : 0;
  bool interrupted = false, out_open = true, err_open = true, in_open = true;
  while (out_open || err_open) {
    if (in_open && sent == options.input.size()) close(in[1]), in_open = false;
    pollfd wait[3] = {
        {out_open ? out[0] : -1, POLLIN, 0}, {err_open ? err[0] : -1, POLLIN, 0}, {in_open ? in[1] : -1, POLLOUT, 0}};
    poll(wait, 3, deadline > 0 && !interrupted ? 10 : 1000);
    if (deadline > 0 && !interrupted && now() > deadline) kill(child, SIGINT), interrupted = true;
    char buffer[65536];
    const auto take = [&](pollfd& end, std::string& text, bool& open) {
      if (!(end.revents & (POLLIN | POLLHUP))) return;
      const ssize_t n = read(end.fd, buffer, sizeof buffer);
      if (n > 0)
        text.append(buffer, static_cast<size_t>(n));
      else
        close(end.fd), open = false;
    };
    if (out_open) take(wait[0], ran.out, out_open);
    if (err_open) take(wait[1], ran.err, err_open);
    if (in_open && wait[2].revents) {
      const ssize_t n = write(in[1], options.input.data() + sent, std::min<size_t>(options.input.size() - sent, 4096));
      sent = n > 0 ? sent + static_cast<size_t>(n) : options.input.size();
    }
  }
  if (in_open) close(in[1]);
  int raw = 0;
  waitpid(child, &raw, 0);
  ran.status = exit_status(raw);
  return ran;
}

OrderedJson parse_output(const Ran& ran) {
  auto json = parse_ordered_json(ran.out, "stdout");
  EXPECT_TRUE(json.has_value()) << "stdout: " << ran.out.substr(0, 500) << "\nstderr: " << ran.err;
  return json ? *std::move(json) : OrderedJson::object();
}

void expect_one_line_error(const Ran& ran, int status, const std::string& named) {
  EXPECT_EQ(ran.status, status) << ran.err;
  // Notes may come before it; the error is the last line and the only one of its kind.
  const size_t last = ran.err.rfind('\n', ran.err.size() - 2) + 1;
  EXPECT_TRUE(ran.err.compare(last, 6, "weft: ") == 0 && ran.err.ends_with('\n')) << ran.err;
  EXPECT_EQ(("\n" + ran.err).find("\nweft: "), last) << ran.err;
  EXPECT_NE(ran.err.find(named), std::string::npos) << "wanted '" << named << "' in: " << ran.err;
  EXPECT_EQ(ran.err.find("[internal]"), std::string::npos) << ran.err;
  EXPECT_EQ(ran.out, "");
}

Terminal::Terminal(std::vector<std::string> arguments) {
  winsize size{24, 100, 0, 0};
  child_ = forkpty(&fd_, nullptr, nullptr, &size);
  if (child_ == 0) become_weft(std::move(arguments), {.environment = {{"TERM", "xterm"}}});
}

Terminal::~Terminal() {
  if (child_ > 0) kill(child_, SIGKILL), waitpid(child_, nullptr, 0);
  close(fd_);
}

void Terminal::type(std::string_view keys) {
  while (!keys.empty()) {
    const ssize_t n = write(fd_, keys.data(), keys.size());
    if (n <= 0) return;
    keys.remove_prefix(static_cast<size_t>(n));
  }
}

bool Terminal::read_some(double seconds) {
  pollfd wait{fd_, POLLIN, 0};
  if (poll(&wait, 1, static_cast<int>(seconds * 1000)) <= 0) return false;
  char buffer[4096];
  const ssize_t n = read(fd_, buffer, sizeof buffer);
  if (n > 0) seen_.append(buffer, static_cast<size_t>(n));
  return n > 0;
}

bool Terminal::wait_for(std::string_view text, double seconds) {
  for (const double end = now() + seconds; now() < end;) {
    if (const size_t at = seen_.find(text, position_); at != std::string::npos) {
      position_ = at + text.size();
      return true;
    }
    if (!read_some(0.1) && waitpid(child_, nullptr, WNOHANG | WNOWAIT) < 0) return false;
  }
  return false;
}

int Terminal::wait_exit(double seconds) {
  for (const double end = now() + seconds; now() < end;) {
    read_some(0.02);
    int raw = 0;
    if (waitpid(child_, &raw, WNOHANG) == child_) {
      while (read_some(0.02)) {
      }
      child_ = -1;
      return exit_status(raw);
    }
  }
  return -1;
}

const std::string& tiny_model() {
  static const std::string path = [] {
    const std::string file = temp_path("tiny.gguf");
    const Ran ran = weft({"synth", "tiny", file});
    EXPECT_EQ(ran.status, 0) << ran.err;
    return file;
  }();
  return path;
}

std::string golden_llama() { return golden_dir("llama/model.gguf"); }

}  // namespace weft::test
