#include "admin/rpc_server.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "admin/rpc_client.hpp"

namespace perdure::admin {
namespace {

// A server in a thread of its own, on a socket in a fresh folder.
class RpcServerTest : public testing::Test {
 protected:
  void SetUp() override {
    char folder[] = "/tmp/perdure-rpc-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    path_ = folder_ + "/control.sock";
    methods_.add("echo", [](const Json& params) -> RpcResult { return params; });
    methods_.add("fill", [](const Json& params) -> RpcResult { return std::string(params[0].get<std::size_t>(), 'x'); });
    methods_.add_late("never", [this](const Json&, MethodTable::Done done) { kept_.push_back(std::move(done)); });
  }
  void TearDown() override {
    stop();
    std::filesystem::remove_all(folder_);
  }

  RpcServerOptions options() const { return {.path = path_}; }
  void start(RpcServerOptions options) {
    server_.emplace(context_, std::move(options),
                    [this](const std::string& line, std::function<void(std::string)> reply, const std::string&) {
                      methods_.dispatch(line, std::move(reply));
                    });
    const auto started = server_->start();
    ASSERT_TRUE(started.has_value()) << started.error().message;
    thread_ = std::thread([this] {
      const auto work = boost::asio::make_work_guard(context_);
      context_.run();
    });
  }
  void stop() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
    server_.reset();
    kept_.clear();
  }

  RpcClient client() {
    auto connected = RpcClient::connect(path_);
    EXPECT_TRUE(connected.has_value()) << connected.error().message;
    return std::move(*connected);
  }
  // A connection without a protocol.
  int raw() const {
    const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path_.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return descriptor;
  }
  static void write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
      const auto count = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
      if (count <= 0) return;  // the server has closed: what it said stays readable
      text.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  // Everything until the server closes.
  static std::string read_to_end(int descriptor) {
    std::string all;
    char buffer[4096];
    for (ssize_t count; (count = recv(descriptor, buffer, sizeof buffer, 0)) > 0;) all.append(buffer, static_cast<std::size_t>(count));
    close(descriptor);
    return all;
  }

  std::string folder_, path_;
  MethodTable methods_;
  std::vector<MethodTable::Done> kept_;
  boost::asio::io_context context_;
  std::optional<RpcServer> server_;
  std::thread thread_;
};

TEST_F(RpcServerTest, AnswersOneRequestAfterTheOther) {
  start(options());
  auto one = client();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.call("echo", Json::array({i})).value(), Json::array({i}));
  EXPECT_EQ(one.call("missing", Json::array()).error().code, rpc_code::method_not_found);
}

TEST_F(RpcServerTest, SocketIsForOwnerAndGroup) {
  start(options());
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 0777u, 0660u);
}

TEST_F(RpcServerTest, SocketFileGoesWithTheServer) {
  start(options());
  stop();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RpcServerTest, WhoSeesItsConnectionEndFindsNoSocketFile) {
  start(options());
  std::vector<std::thread> clients;
  std::atomic<int> found = 0;
  for (int i = 0; i < 16; ++i) {
    auto one = std::make_shared<RpcClient>(client());
    EXPECT_TRUE(one->call("echo", Json::array()).has_value());
    clients.emplace_back([this, one, &found] {
      EXPECT_TRUE(one->wait_closed(10s));
      if (std::filesystem::exists(path_)) ++found;
    });
  }
  stop();
  for (auto& one : clients) one.join();
  EXPECT_EQ(found, 0);
}

TEST_F(RpcServerTest, SlowClientSendsByteByByteWhileOthersAreServed) {
  start(options());
  const int slow = raw();
  const std::string text = to_text(make_request("echo", Json::array({"slow"}))) + "\n";
  for (const char c : text.substr(0, text.size() - 1)) write_all(slow, std::string_view(&c, 1));
  EXPECT_EQ(client().call("echo", Json::array({1})).value(), Json::array({1}));
  write_all(slow, "\n");
  char buffer[256];
  const auto count = recv(slow, buffer, sizeof buffer, 0);
  ASSERT_GT(count, 0);
  EXPECT_EQ(read_response({buffer, static_cast<std::size_t>(count)}).value(), Json::array({"slow"}));
  close(slow);
}

TEST_F(RpcServerTest, LastRequestMayEndWithTheStream) {
  start(options());
  const int half = raw();
  write_all(half, to_text(make_request("echo", Json::array({7}))));
  shutdown(half, SHUT_WR);
  EXPECT_EQ(read_response(read_to_end(half)).value(), Json::array({7}));
}

TEST_F(RpcServerTest, EmptyLinesAndNotificationsGetNoAnswer) {
  start(options());
  const int one = raw();
  write_all(one,
            "\n\r\n"
            R"({"jsonrpc":"2.0","method":"echo"})"
            "\n"
            R"({"jsonrpc":"2.0","method":"echo","id":5})"
            "\n");
  shutdown(one, SHUT_WR);
  const auto answer = read_to_end(one);
  EXPECT_EQ(std::ranges::count(answer, '\n'), 1);
  EXPECT_EQ(Json::parse(answer)["id"], 5);
}

TEST_F(RpcServerTest, HugeRequestIsRefusedAndClosed) {
  auto small = options();
  small.line_bytes_max = 1000;
  start(small);
  const int huge = raw();
  write_all(huge, std::string(100'000, 'x'));
  const auto answer = read_response(read_to_end(huge));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, rpc_code::invalid_request);
  EXPECT_EQ(answer.error().message, "the request is larger than 1000 bytes");
  EXPECT_EQ(client().call("echo", Json::array({1})).value(), Json::array({1}));
}

TEST_F(RpcServerTest, LargeAnswerArrivesWhole) {
  start(options());
  EXPECT_EQ(client().call("fill", Json::array({5'000'000})).value().get<std::string>().size(), 5'000'000u);
}

TEST_F(RpcServerTest, OneConnectionTooManyIsToldSo) {
  auto few = options();
  few.connections_max = 3;
  start(few);
  std::vector<RpcClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(client());
    EXPECT_TRUE(clients.back().call("echo", Json::array()).has_value());  // so that it has been accepted
  }
  const auto answer = read_response(read_to_end(raw()));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, rpc_code::overloaded);
  EXPECT_EQ(answer.error().message, "more than 3 connections");
  for (auto& each : clients) EXPECT_TRUE(each.call("echo", Json::array()).has_value());
}

TEST_F(RpcServerTest, IdleConnectionIsClosed) {
  auto hasty = options();
  hasty.idle = 20ms;
  start(hasty);
  EXPECT_EQ(read_to_end(raw()), "");
  const int half_request = raw();
  write_all(half_request, "{\"jsonrpc\"");
  EXPECT_EQ(read_to_end(half_request), "");
}

TEST_F(RpcServerTest, ClientThatDoesNotReadIsClosed) {
  auto hasty = options();
  hasty.write_deadline = 20ms;
  start(hasty);
  const int deaf = raw();
  write_all(deaf, to_text(make_request("fill", Json::array({50'000'000}))) + "\n");
  // The answer does not fit the socket buffer. Another request after the deadline finds the connection gone.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (send(deaf, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  EXPECT_LT(std::chrono::steady_clock::now(), end);
  close(deaf);
  EXPECT_EQ(client().call("echo", Json::array({1})).value(), Json::array({1}));
}

TEST_F(RpcServerTest, ClientThatLeavesBeforeTheAnswerHarmsNobody) {
  start(options());
  for (int i = 0; i < 50; ++i) {
    const int gone = raw();
    write_all(gone, to_text(make_request("fill", Json::array({1'000'000}))) + "\n");
    close(gone);
  }
  EXPECT_EQ(client().call("echo", Json::array({1})).value(), Json::array({1}));
}

TEST_F(RpcServerTest, SocketFileOfADeadServerIsReplaced) {
  const int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(dead);
  ASSERT_TRUE(std::filesystem::exists(path_));
  start(options());
  EXPECT_EQ(client().call("echo", Json::array({1})).value(), Json::array({1}));
}

TEST_F(RpcServerTest, LivingServerIsNotReplaced) {
  start(options());
  {
    boost::asio::io_context other_context;
    RpcServer other(other_context, options(), [](const std::string&, const std::function<void(std::string)>&, const std::string&) {});
    const auto started = other.start();
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().message, path_ + ": another server answers there");
  }
  EXPECT_EQ(client().call("echo", Json::array({1})).value(), Json::array({1}));
}

TEST_F(RpcServerTest, AnotherServerTakesTheSocketOver) {
  start(options());
  const auto in_context = [this](std::function<void()> f) {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
      f();
      done.set_value();
    });
    done.get_future().wait();
  };
  auto before = client();
  EXPECT_EQ(before.call("echo", Json::array({1})), Json::array({1}));
  in_context([this] { server_->pause(); });
  auto between = client();  // waits until somebody accepts
  ASSERT_TRUE(between.ask("echo", Json::array({2})));
  EXPECT_FALSE(between.has_answer(50ms));
  EXPECT_EQ(before.call("echo", Json::array({3})), Json::array({3}));
  std::optional<RpcServer> next;
  in_context([&] {
    next.emplace(context_, options(), [this](const std::string& line, std::function<void(std::string)> reply, const std::string&) {
      methods_.dispatch(line, std::move(reply));
    });
    EXPECT_TRUE(next->start(dup(server_->descriptor())));
    server_->give_away();
    server_.reset();
  });
  EXPECT_EQ(between.answer(10s), Json::array({2}));
  EXPECT_EQ(client().call("echo", Json::array({4})), Json::array({4}));
  EXPECT_TRUE(std::filesystem::exists(path_));
  stop();
  next.reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(RpcServerTest, AServerCanTakeTheSocketBack) {
  start(options());
  boost::asio::post(context_, [this] { server_->pause(); });
  auto waiting = client();
  ASSERT_TRUE(waiting.ask("echo", Json::array({1})));
  EXPECT_FALSE(waiting.has_answer(50ms));
  boost::asio::post(context_, [this] { server_->resume(); });
  EXPECT_EQ(waiting.answer(10s), Json::array({1}));
}

TEST_F(RpcServerTest, FileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path_) << "precious";
  RpcServer server(context_, options(), [](const std::string&, const std::function<void(std::string)>&, const std::string&) {});
  const auto started = server.start();
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().message, path_ + ": there is a file that is no socket");
  EXPECT_EQ(std::filesystem::file_size(path_), 8u);
}

TEST_F(RpcServerTest, TooLongPathIsAnError) {
  RpcServer server(context_, {.path = folder_ + "/" + std::string(120, 'x')}, [](const std::string&, const auto&, const std::string&) {});
  const auto started = server.start();
  ASSERT_FALSE(started.has_value());
  EXPECT_NE(started.error().message.find("at most 107 bytes"), std::string::npos);
}

TEST_F(RpcServerTest, ClientSaysThatNoServerRuns) {
  const auto nobody = RpcClient::connect(path_);
  ASSERT_FALSE(nobody.has_value());
  EXPECT_EQ(nobody.error().message, "no server at " + path_ + "; is it running?");
}

TEST_F(RpcServerTest, ClientGivesUpOnASilentMethod) {
  start(options());
  const auto answer = client().call("never", Json::array(), 20ms);
  ASSERT_FALSE(answer.has_value());
  EXPECT_NE(answer.error().message.find("did not answer within 0.02 s"), std::string::npos) << answer.error().message;
}

TEST_F(RpcServerTest, ClientNoticesTheEndOfTheServer) {
  start(options());
  auto one = client();
  EXPECT_TRUE(one.call("echo", Json::array()).has_value());
  EXPECT_FALSE(one.wait_closed(1ms));
  stop();
  EXPECT_TRUE(one.wait_closed(10s));
}

}  // namespace
}  // namespace perdure::admin
