#include "native_host.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>

#include "support/support.h"

namespace weft {
namespace {

using test::run;

std::string fresh_dir(const std::string& name) {
  const std::string path = test::temp_path(name);
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}
std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
size_t files_in(const std::string& folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

TEST(NativeHost, MapsAndReadsAFile) {
  NativeHost host;
  std::string text(100000, 'x');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  const std::string path = test::temp_path("mapped.bin");
  test::write_text(path, text);
  ASSERT_OK_AND(auto source, host.open(path));
  EXPECT_EQ(source->name(), path);
  ASSERT_EQ(source->size(), text.size());
  ASSERT_NE(source->mapped(), nullptr);
  EXPECT_EQ(std::memcmp(source->mapped(), text.data(), text.size()), 0);
  std::vector<std::byte> part(1000);
  EXPECT_OK(run(source->read(99000, part)));
  EXPECT_EQ(std::memcmp(part.data(), text.data() + 99000, 1000), 0);
  EXPECT_ERROR(Code::io, run(source->read(99001, part)));
  EXPECT_ERROR(Code::io, run(source->read(~uint64_t{0}, part)));
  EXPECT_OK(run(source->read(100000, {})));
}

TEST(NativeHost, ReleaseDropsWholePagesInsideTheRangeOnly) {
  NativeHost host;
  const long page = sysconf(_SC_PAGESIZE);
  const std::string path = test::temp_path("release.bin");
  test::write_text(path, std::string(static_cast<size_t>(8 * page), 'r'));
  ASSERT_OK_AND(auto source, host.open(path));
  const std::byte* data = source->mapped();
  volatile char sum = 0;
  for (long i = 0; i < 8 * page; ++i) sum = sum + static_cast<char>(data[i]);
  source->release(static_cast<uint64_t>(page / 2), static_cast<uint64_t>(4 * page));  // whole: pages 1, 2 and 3
  source->release(0, ~uint64_t{0});                                                   // refused: beyond the end
  source->release(0, static_cast<uint64_t>(page) - 1);                                // no whole page
  // smaps tells what is resident; mincore would tell about the page cache.
  std::ifstream smaps("/proc/self/smaps");
  long resident = -1;
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    if (line.find("release.bin") != std::string::npos) inside = true;
    if (inside && std::sscanf(line.c_str(), "Rss: %ld kB", &resident) == 1) break;
  }
  EXPECT_EQ(resident * 1024, 5 * page);
  EXPECT_EQ(data[2 * page], std::byte{'r'});  // read again from the file
}

TEST(NativeHost, AFileThatShrinksFailsInRead) {
  NativeHost host;
  const std::string path = test::temp_path("shrinks.bin");
  test::write_text(path, std::string(10000, 's'));
  ASSERT_OK_AND(auto source, host.open(path));
  ASSERT_EQ(truncate(path.c_str(), 100), 0);
  std::vector<std::byte> part(1000);
  const Status status = run(source->read(5000, part));
  EXPECT_ERROR(Code::io, status);
  EXPECT_NE(status.error().message().find("truncated"), std::string::npos);
}

TEST(NativeHost, WhatIsNoReadableFile) {
  NativeHost host;
  EXPECT_ERROR(Code::not_found, host.open(test::temp_path("absent.gguf")));
  EXPECT_ERROR(Code::not_found, host.open(""));
  const std::string dir = fresh_dir("folder");
  auto folder = host.open(dir);
  EXPECT_ERROR(Code::not_found, folder);
  EXPECT_NE(folder.error().message().find("a folder"), std::string::npos);
  ASSERT_EQ(mkfifo((dir + "/pipe").c_str(), 0600), 0);
  auto pipe = host.open(dir + "/pipe");  // and does not wait for a writer
  EXPECT_ERROR(Code::not_found, pipe);
  EXPECT_NE(pipe.error().message().find("a pipe"), std::string::npos);
  auto device = host.open("/dev/zero");
  EXPECT_ERROR(Code::not_found, device);
  test::write_text(dir + "/empty", "");
  ASSERT_OK_AND(auto empty, host.open(dir + "/empty"));
  EXPECT_EQ(empty->size(), 0u);
  EXPECT_EQ(empty->mapped(), nullptr);
  if (geteuid() != 0) {  // root may read everything
    test::write_text(dir + "/secret", "s");
    ASSERT_EQ(chmod((dir + "/secret").c_str(), 0), 0);
    EXPECT_ERROR(Code::io, host.open(dir + "/secret"));
  }
}

TEST(NativeHost, WorkersRunWithSignalsBlocked) {
  NativeHost host;
  std::atomic<int> sum{0}, open_signals{0};
  {
    auto workers = host.start_workers(4, [&](int worker) {
      sigset_t mask;
      pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      if (!sigismember(&mask, SIGINT)) ++open_signals;
      sum += worker;
    });
    ASSERT_NE(workers, nullptr);
  }
  EXPECT_EQ(sum, 1 + 2 + 3 + 4);
  EXPECT_EQ(open_signals, 0);
  EXPECT_EQ(host.start_workers(0, [](int) {}), nullptr);
  const double before = host.now();
  EXPECT_GE(host.now(), before);
  EXPECT_GT(peak_memory_bytes(), 1 << 20);
}

TEST(CreateFile, AppearsWhole) {
  const std::string dir = fresh_dir("atomic"), path = dir + "/out.bin";
  const std::string large(1000000, 'l');
  {
    ASSERT_OK_AND(auto sink, create_file(path));
    EXPECT_EQ(sink->name(), path);
    EXPECT_OK(sink->write(bytes_of("head")));
    EXPECT_OK(sink->write(bytes_of(large)));
    EXPECT_OK(sink->write(bytes_of("tail")));
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_OK(sink->commit());
    EXPECT_ERROR(Code::invalid_argument, sink->write(bytes_of("more")));
  }
  EXPECT_EQ(test::read_text(path), "head" + large + "tail");
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(CreateFile, LeavesNothingWithoutCommit) {
  const std::string dir = fresh_dir("abandoned"), path = dir + "/out.bin";
  test::write_text(path, "old");
  {
    ASSERT_OK_AND(auto sink, create_file(path));
    EXPECT_OK(sink->write(bytes_of(std::string(600000, 'n'))));
  }
  EXPECT_EQ(test::read_text(path), "old");
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(CreateFile, FollowsALinkAndKeepsTheMode) {
  const std::string dir = fresh_dir("links");
  test::write_text(dir + "/real", "old");
  ASSERT_EQ(chmod((dir + "/real").c_str(), 0640), 0);
  ASSERT_EQ(symlink("real", (dir + "/link").c_str()), 0);
  ASSERT_OK_AND(auto sink, create_file(dir + "/link"));
  EXPECT_OK(sink->write(bytes_of("new")));
  EXPECT_OK(sink->commit());
  EXPECT_TRUE(std::filesystem::is_symlink(dir + "/link"));
  EXPECT_EQ(test::read_text(dir + "/real"), "new");
  struct stat status;
  ASSERT_EQ(stat((dir + "/real").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
}

TEST(CreateFile, WhereNothingCanBeWritten) {
  const std::string dir = fresh_dir("refused");
  EXPECT_ERROR(Code::io, create_file(dir));
  EXPECT_ERROR(Code::invalid_argument, create_file(""));
  EXPECT_ERROR(Code::invalid_argument, create_file(dir + "/"));
  EXPECT_ERROR(Code::io, create_file(dir + "/absent/out.bin"));
  ASSERT_OK_AND(auto full, create_file("/dev/full"));
  Status status = full->write(bytes_of("x"));
  if (status) status = full->commit();
  EXPECT_ERROR(Code::io, status);
  EXPECT_NE(status.error().message().find("space"), std::string::npos) << status.error().message();
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(CreateFile, AFullDiskLeavesNothing) {
  // A limit on file sizes fails writes as a full disk does, without a disk.
  const std::string dir = fresh_dir("limited");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{100000, before.rlim_max};
  auto* old_handler = signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  Status status;
  {
    auto sink = create_file(dir + "/out.bin");
    status = sink ? (*sink)->write(bytes_of(std::string(600000, 'f'))) : Status(fail(sink.error()));
    if (status) status = (*sink)->commit();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, old_handler);
  EXPECT_ERROR(Code::io, status);
  EXPECT_EQ(files_in(dir), 0u);
}

}  // namespace
}  // namespace weft
