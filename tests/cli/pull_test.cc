// weft pull against a server that cuts, lies, redirects and refuses.
#include <openssl/evp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "run_weft.h"
#include "test_server.h"

namespace weft::test {
namespace {

namespace fs = std::filesystem;

std::string some_bytes(size_t count, uint32_t seed = 1) {
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

std::string sha256(const std::string& bytes) {
  unsigned char digest[32];
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

class Pull : public testing::Test {
 protected:
  Pull() : cache_(temp_path(std::string("cache-") + testing::UnitTest::GetInstance()->current_test_info()->name())) {}

  Ran pull(std::vector<std::string> arguments, RunOptions options = {}) {
    arguments.insert(arguments.begin(), "pull");
    for (const char* each : {"--retry-wait", "0.01"}) arguments.emplace_back(each);
    return run(std::move(arguments), std::move(options));
  }
  Ran run(std::vector<std::string> arguments, RunOptions options = {}) {
    options.environment.insert({{"WEFT_CACHE", cache_}, {"HF_ENDPOINT", server_.url()}});
    options.environment.insert({"HF_TOKEN", ""});
    return weft(std::move(arguments), options);
  }
  // A repository "o/r" as Hugging Face lists it.
  void add_repo(const std::vector<std::pair<std::string, std::string>>& files, const std::string& sha = {}) {
    OrderedJson listing = OrderedJson::array();
    for (const auto& [path, bytes] : files) {
      OrderedJson entry = {{"type", "file"}, {"path", path}, {"size", bytes.size()}};
      entry["lfs"] = {{"oid", sha.empty() ? sha256(bytes) : sha}, {"size", bytes.size()}};
      listing.push_back(entry);
      server_.add("/o/r/resolve/main/" + path, {.body = bytes, .etag = "\"v1\""});
    }
    server_.add("/api/models/o/r/tree/main", {.body = dump_json(listing)});
  }
  std::string in_cache(const std::string& path) const { return cache_ + "/" + path; }
  // Neither parts nor locks.
  void expect_clean() const {
    if (!fs::exists(cache_)) return;
    for (const auto& entry : fs::recursive_directory_iterator(cache_)) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(!name.ends_with(".part") && !name.ends_with(".lock") && !name.ends_with(".etag") &&
                  !name.ends_with(".tmp"))
          << name;
    }
  }

  std::string cache_;
  TestServer server_;
  const std::string bytes_ = some_bytes(3'000'000);
};

TEST_F(Pull, DownloadsAndPrintsThePath) {
  add_repo({{"m-q8_0.gguf", bytes_}, {"README.md", "x"}});
  const Ran ran = pull({"o/r"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(ran.out, in_cache("o/r/m-q8_0.gguf") + "\n");
  EXPECT_EQ(read_text(in_cache("o/r/m-q8_0.gguf")), bytes_);
  expect_clean();
  const Ran again = pull({"o/r", "--json"});
  const OrderedJson json = parse_output(again);
  EXPECT_EQ(json["received"], 0);
  EXPECT_EQ(json["bytes"], bytes_.size());
  EXPECT_EQ(server_.count("/o/r/resolve/main/m-q8_0.gguf"), 1);
}

TEST_F(Pull, ADamagedFileInTheCacheIsReplaced) {
  add_repo({{"m-q8_0.gguf", bytes_}});
  ASSERT_EQ(pull({"o/r"}).status, 0);
  std::string damaged = bytes_;
  damaged[1000] ^= 1;
  write_text(in_cache("o/r/m-q8_0.gguf"), damaged);
  const Ran ran = pull({"o/r"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_NE(ran.err.find("damaged"), std::string::npos) << ran.err;
  EXPECT_EQ(read_text(in_cache("o/r/m-q8_0.gguf")), bytes_);
}

TEST_F(Pull, GoesOnAfterACutConnection) {
  add_repo({{"m-q8_0.gguf", bytes_}});
  server_.add("/o/r/resolve/main/m-q8_0.gguf", {.body = bytes_, .etag = "\"v1\"", .cut_after = 1'000'000, .cuts = 2});
  const Ran ran = pull({"o/r", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(read_text(in_cache("o/r/m-q8_0.gguf")), bytes_);
  const auto requests = server_.requests();
  ASSERT_EQ(requests.size(), 4u);
  EXPECT_TRUE(requests[2].headers.contains("range"));
  EXPECT_EQ(requests[2].headers.at("if-range"), "\"v1\"");
}

TEST_F(Pull, ASecondRunGoesOnWhereTheFirstStopped) {
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\"", .cut_after = 2'000'000});
  const Ran first = pull({server_.url("/file.gguf"), "--retries", "0"});
  EXPECT_EQ(first.status, 1);
  const Ran second = pull({server_.url("/file.gguf"), "--json", "--sha256", sha256(bytes_)});
  ASSERT_EQ(second.status, 0) << second.err;
  const OrderedJson json = parse_output(second);
  EXPECT_EQ(json["bytes"], bytes_.size());
  EXPECT_LE(json["received"].get<int64_t>(), 2'000'000);
  EXPECT_EQ(read_text(json["path"].get<std::string>()), bytes_);
  expect_clean();
}

TEST_F(Pull, BeginsAnewWhenTheFileChanged) {
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\"", .cut_after = 2'000'000});
  EXPECT_EQ(pull({server_.url("/file.gguf"), "--retries", "0"}).status, 1);
  const std::string other = some_bytes(2'500'000, 7);
  server_.add("/file.gguf", {.body = other, .etag = "\"v2\""});
  const Ran second = pull({server_.url("/file.gguf"), "--json"});
  ASSERT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(read_text(parse_output(second)["path"].get<std::string>()), other);
}

TEST_F(Pull, AServerWithoutRangesStartsOver) {
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\"", .cut_after = 2'000'000, .ranges = false});
  const Ran ran = pull({server_.url("/file.gguf"), "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(read_text(parse_output(ran)["path"].get<std::string>()), bytes_);
}

TEST_F(Pull, AWrongChecksumRemovesThePart) {
  add_repo({{"m-q8_0.gguf", bytes_}}, std::string(64, 'a'));
  expect_one_line_error(pull({"o/r"}), 1, "SHA-256");
  EXPECT_FALSE(fs::exists(in_cache("o/r/m-q8_0.gguf")));
  expect_clean();
  server_.add("/f.gguf", {.body = bytes_});
  expect_one_line_error(pull({server_.url("/f.gguf"), "--sha256", std::string(64, '0')}), 1, "SHA-256");
  server_.add("/g.gguf", {.body = bytes_, .headers = {{"X-Linked-Etag", "\"" + std::string(64, 'b') + "\""}}});
  expect_one_line_error(pull({server_.url("/g.gguf")}), 1, "SHA-256");
  expect_clean();
}

TEST_F(Pull, AWrongSizeIsRefused) {
  server_.add("/f.gguf", {.body = bytes_, .headers = {{"X-Linked-Size", "17"}}});
  expect_one_line_error(pull({server_.url("/f.gguf")}), 1, "size");
  expect_clean();
}

TEST_F(Pull, FollowsRedirectsWithoutGivingTheTokenAway) {
  TestServer elsewhere;
  add_repo({{"m-q8_0.gguf", bytes_}});
  server_.add("/o/r/resolve/main/m-q8_0.gguf", {.status = 302, .headers = {{"Location", elsewhere.url("/cdn/blob")}}});
  elsewhere.add("/cdn/blob", {.body = bytes_, .etag = "\"x\""});
  const Ran ran = pull({"o/r"}, {.environment = {{"HF_TOKEN", "hf_secret"}}});
  ASSERT_EQ(ran.status, 0) << ran.err;
  for (const Request& request : server_.requests()) {
    ASSERT_TRUE(request.headers.contains("authorization")) << request.path;
    EXPECT_EQ(request.headers.at("authorization"), "Bearer hf_secret");
  }
  ASSERT_EQ(elsewhere.requests().size(), 1u);
  EXPECT_FALSE(elsewhere.requests()[0].headers.contains("authorization"));
  EXPECT_EQ(ran.err.find("hf_secret"), std::string::npos);
}

TEST_F(Pull, ARedirectLoopEnds) {
  server_.add("/loop.gguf", {.status = 302, .headers = {{"Location", "/loop.gguf"}}});
  expect_one_line_error(pull({server_.url("/loop.gguf")}), 1, "redirect");
  EXPECT_LE(server_.count("/loop.gguf"), 11);
  server_.add("/file.gguf", {.status = 302, .headers = {{"Location", "file:///etc/passwd"}}});
  expect_one_line_error(pull({server_.url("/file.gguf")}), 1, "redirect");
}

TEST_F(Pull, ErrorsSayWhatToDo) {
  expect_one_line_error(pull({server_.url("/none.gguf")}), 1, "HTTP 404");
  expect_one_line_error(pull({"o/missing"}), 1, "HTTP 404");
  server_.add("/api/models/o/gated/tree/main", {.body = "{}", .status = 401});
  expect_one_line_error(pull({"o/gated"}), 1, "HF_TOKEN");
  server_.add("/api/models/o/bad/tree/main", {.body = "{\"error\": ["});
  expect_one_line_error(pull({"o/bad"}), 1, "/api/models/o/bad/tree/main");
  expect_one_line_error(pull({"http://127.0.0.1:1/x.gguf"}), 1, "network");
  EXPECT_EQ(pull({"not a repository"}).status, 2);
  EXPECT_EQ(pull({"ftp://example.org/x.gguf"}).status, 1);
}

TEST_F(Pull, TriesAgainWhenTheServerIsBusy) {
  server_.add("/file.gguf", {.body = bytes_, .fail_first = 3});
  EXPECT_EQ(pull({server_.url("/file.gguf")}).status, 0);
  server_.add("/busy.gguf", {.body = bytes_, .fail_first = 100});
  const Ran ran = pull({server_.url("/busy.gguf"), "--retries", "2"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_EQ(server_.count("/busy.gguf"), 3);
  EXPECT_NE(ran.err.find("HTTP 503"), std::string::npos) << ran.err;
}

TEST_F(Pull, GivesASilentConnectionUp) {
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\"", .hang = true});
  const Ran ran = pull({server_.url("/file.gguf"), "--stall", "1", "--retries", "0"});
  EXPECT_EQ(ran.status, 1);
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\"", .delay_ms_per_64k = 5});
  EXPECT_EQ(pull({server_.url("/file.gguf")}).status, 0);
  EXPECT_TRUE(server_.requests().back().headers.contains("range"));
}

TEST_F(Pull, CtrlCKeepsThePart) {
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\"", .delay_ms_per_64k = 100});
  const Ran ran = pull({server_.url("/file.gguf")}, {.interrupt_after = 1});
  EXPECT_EQ(ran.status, 130) << ran.err;
  server_.add("/file.gguf", {.body = bytes_, .etag = "\"v1\""});
  const Ran again = pull({server_.url("/file.gguf"), "--json"});
  ASSERT_EQ(again.status, 0) << again.err;
  EXPECT_LT(parse_output(again)["received"].get<size_t>(), bytes_.size());
}

TEST_F(Pull, AFullDiskIsOneLineAndLeavesNothing) {
  server_.add("/file.gguf", {.body = bytes_});
  expect_one_line_error(pull({server_.url("/file.gguf")}, {.file_size_limit = 1'000'000}), 1, "file.gguf");
  expect_clean();
  // A real small disk, where this user may mount one; asked for before the first byte.
  const std::string disk = temp_path("small-disk");
  fs::create_directories(disk);
  if (mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "skipped the mounted disk: may not mount";
  const Ran ran = pull({server_.url("/file.gguf")}, {.environment = {{"WEFT_CACHE", disk}}});
  EXPECT_EQ(ran.status, 1);
  EXPECT_NE(ran.err.find("free space"), std::string::npos) << ran.err;
  umount(disk.c_str());
}

TEST_F(Pull, TwoProcessesDownloadOnce) {
  add_repo({{"m-q8_0.gguf", bytes_}});
  server_.add("/o/r/resolve/main/m-q8_0.gguf", {.body = bytes_, .etag = "\"v1\"", .delay_ms_per_64k = 10});
  Ran first, second;
  std::thread one([&] { first = pull({"o/r"}); });
  std::thread two([&] { second = pull({"o/r"}); });
  one.join(), two.join();
  EXPECT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(second.status, 0) << second.err;
  EXPECT_EQ(server_.count("/o/r/resolve/main/m-q8_0.gguf"), 1);
  EXPECT_EQ(read_text(in_cache("o/r/m-q8_0.gguf")), bytes_);
  expect_clean();
}

TEST_F(Pull, ChoosesTheFormat) {
  add_repo({{"m-F16.gguf", "f16"}, {"m-Q4_K_M.gguf", "q4km"}, {"m-Q4_K_S.gguf", "q4ks"}, {"mmproj-Q4_0.gguf", "no"}});
  const auto chosen = [&](const std::string& source) {
    const Ran ran = pull({source});
    return ran.status == 0 ? fs::path(ran.out.substr(0, ran.out.size() - 1)).filename().string() : ran.err;
  };
  EXPECT_EQ(chosen("o/r"), "m-Q4_K_M.gguf");
  EXPECT_EQ(chosen("hf:o/r:q4_k_s"), "m-Q4_K_S.gguf");
  EXPECT_EQ(chosen("o/r:m-F16.gguf"), "m-F16.gguf");
  EXPECT_NE(chosen("o/r:q5_0").find("m-Q4_K_S.gguf"), std::string::npos) << "lists what there is";
}

TEST_F(Pull, AllPartsOfASplitModelAndOfAFolder) {
  add_repo({{"x-q8_0-00001-of-00002.gguf", "a"}, {"x-q8_0-00002-of-00002.gguf", "b"}});
  const Ran split = pull({"o/r"});
  EXPECT_EQ(split.out, in_cache("o/r/x-q8_0-00001-of-00002.gguf") + "\n");
  EXPECT_TRUE(fs::exists(in_cache("o/r/x-q8_0-00002-of-00002.gguf")));
  fs::remove_all(cache_);
  add_repo({{"config.json", "{}"}, {"model.safetensors", "t"}, {"tokenizer.json", "{}"}, {"pytorch_model.bin", "no"}});
  const Ran folder = pull({"o/r"});
  EXPECT_EQ(folder.out, in_cache("o/r") + "\n") << folder.err;
  EXPECT_TRUE(fs::exists(in_cache("o/r/tokenizer.json")));
  EXPECT_FALSE(fs::exists(in_cache("o/r/pytorch_model.bin")));
}

TEST_F(Pull, AListingCannotWriteOutsideTheCache) {
  server_.add("/api/models/o/r/tree/main", {.body = R"([{"type":"file","path":"../../evil.gguf","size":1}])"});
  expect_one_line_error(pull({"o/r"}), 1, "../../evil.gguf");
  server_.add("/api/models/o/r/tree/main", {.body = R"([{"type":"file","path":"/tmp/evil.gguf","size":1}])"});
  expect_one_line_error(pull({"o/r"}), 1, "/tmp/evil.gguf");
}

TEST_F(Pull, ModelsAreFoundByTheNameOfTheRepository) {
  expect_one_line_error(run({"generate", "-m", "o/r", "-p", "x"}), 1, "weft pull o/r");
  add_repo({{"tiny-q8_0.gguf", read_text(tiny_model())}});
  ASSERT_EQ(pull({"o/r"}).status, 0);
  const Ran ran = run({"generate", "-m", "o/r", "-p", "hello", "-n", "3", "--ignore-eos", "--json"});
  ASSERT_EQ(ran.status, 0) << ran.err;
  EXPECT_EQ(parse_output(ran)["ids"].size(), 3u);
}

}  // namespace
}  // namespace weft::test
