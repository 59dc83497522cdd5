#include "admin/rpc_server.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "base/logging.hpp"

namespace perdure::admin {

namespace asio = boost::asio;
using Local = asio::local::stream_protocol;
using ErrorCode = boost::system::error_code;

namespace {

// "user 0, process 4711"
std::string name_of_peer(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "control socket";
  return fmt::format("user {}, process {}", peer.uid, peer.pid);
}

}  // namespace

struct RpcServer::State {
  State(asio::io_context& io, RpcServerOptions rpc_options, Handler rpc_handler)
      : context(io), options(std::move(rpc_options)), handler(std::move(rpc_handler)), acceptor(io), retry(io) {}
  asio::io_context& context;
  const RpcServerOptions options;
  const Handler handler;
  Local::acceptor acceptor;
  asio::steady_timer retry;
  std::set<std::shared_ptr<Connection>> connections;
  std::size_t writing = 0;
  bool paused = false;
  ino_t inode = 0;  // of the socket file, 0: not made
};

// Reads a line, waits for its answer, writes it, reads the next. Lives while something is outstanding or the server knows it.
class RpcServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<State> state, Local::socket socket)
      : state_(std::move(state)),
        socket_(std::move(socket)),
        caller_(name_of_peer(socket_.native_handle())),
        deadline_(socket_.get_executor()),
        buffer_(state_->options.line_bytes_max + 1) {}

  void read() {
    arm(state_->options.idle);
    asio::async_read_until(socket_, buffer_, '\n', [self = shared_from_this()](ErrorCode error, std::size_t size) {
      self->deadline_.cancel();
      self->on_read(error, size);
    });
  }

  // Answers without having been asked, then ends.
  void refuse(int code, std::string message) {
    last_ = true;
    write(to_text(make_error({code, std::move(message)})));
  }

  void close() {
    ErrorCode ignored;
    deadline_.cancel();
    socket_.close(ignored);
    state_->connections.erase(shared_from_this());
  }

 private:
  void arm(Duration after) {
    deadline_.expires_after(after);
    deadline_.async_wait([self = shared_from_this()](ErrorCode error) {
      if (!error) self->close();
    });
  }

  void on_read(ErrorCode error, std::size_t size) {
    if (error == asio::error::not_found)
      return refuse(rpc_code::invalid_request, fmt::format("the request is larger than {} bytes", state_->options.line_bytes_max));
    // A client that has closed its half of the stream may leave out the last newline.
    if (error == asio::error::eof && buffer_.size() > 0) {
      size = buffer_.size();
      last_ = true;
    } else if (error) {
      return close();
    }
    std::string line(size, '\0');
    buffer_.sgetn(line.data(), static_cast<std::streamsize>(size));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) return next();
    state_->handler(
        std::move(line),
        [self = shared_from_this()](std::string answer) {
          if (!self->socket_.is_open()) return;
          if (answer.empty())
            self->next();
          else
            self->write(std::move(answer));
        },
        caller_);
  }

  void next() {
    if (last_) return close();
    read();
  }

  void write(std::string answer) {
    out_ = std::move(answer);
    out_ += '\n';
    ++state_->writing;
    arm(state_->options.write_deadline);
    asio::async_write(socket_, asio::buffer(out_), [self = shared_from_this()](ErrorCode error, std::size_t) {
      --self->state_->writing;
      self->deadline_.cancel();
      if (error) return self->close();
      self->next();
    });
  }

  std::shared_ptr<State> state_;
  Local::socket socket_;
  const std::string caller_;
  asio::steady_timer deadline_;
  asio::streambuf buffer_;
  std::string out_;
  bool last_ = false;
};

namespace {

// Nothing there, or the socket of a server that is gone, which is removed.
Result<> make_room(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return {};
  if (!S_ISSOCK(info.st_mode)) return fail(fmt::format("{}: there is a file that is no socket", path));
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool dead = connect(probe, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (!dead) return fail(fmt::format("{}: another server answers there", path));
  if (unlink(path.c_str()) != 0) return fail(fmt::format("{}: {}", path, std::strerror(errno)));
  return {};
}

}  // namespace

RpcServer::RpcServer(asio::io_context& context, RpcServerOptions options, Handler handler)
    : state_(std::make_shared<State>(context, std::move(options), std::move(handler))) {}

RpcServer::~RpcServer() {
  // First: who sees its connection end may start the next server, and finds no trace of this one. Not the file of a server that has taken
  // the name since.
  struct stat info {};
  const auto& path = state_->options.path;
  if (state_->inode != 0 && lstat(path.c_str(), &info) == 0 && info.st_ino == state_->inode) (void)unlink(path.c_str());
  ErrorCode ignored;
  state_->retry.cancel();
  state_->acceptor.close(ignored);
  const auto connections = state_->connections;
  for (const auto& connection : connections) connection->close();
}

Result<> RpcServer::start() {
  const auto& path = state_->options.path;
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path))
    return fail(fmt::format("{}: the path of a socket has at most {} bytes", path, sizeof(sockaddr_un::sun_path) - 1));
  if (auto room = make_room(path); !room) return room;
  ErrorCode error;
  auto& acceptor = state_->acceptor;
  acceptor.open(Local(), error);
  // bind makes the file with the mode of the socket, cut by the umask: never more than it shall have, so nobody gets in between.
  if (!error && fchmod(acceptor.native_handle(), 0660) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor.bind(Local::endpoint(path), error);
  if (!error && state_->options.group != static_cast<gid_t>(-1) && chown(path.c_str(), static_cast<uid_t>(-1), state_->options.group) != 0)
    error.assign(errno, boost::system::system_category());
  if (!error && chmod(path.c_str(), 0660) != 0) error.assign(errno, boost::system::system_category());
  if (!error) acceptor.listen(16, error);
  if (error) return fail(fmt::format("{}: {}", path, error.message()));
  struct stat info {};
  if (lstat(path.c_str(), &info) == 0) state_->inode = info.st_ino;
  accept();
  return {};
}

Result<> RpcServer::start(int listening) {
  ErrorCode error;
  state_->acceptor.assign(Local(), listening, error);
  if (error) {
    ::close(listening);
    return fail(fmt::format("{}: {}", state_->options.path, error.message()));
  }
  struct stat info {};
  if (lstat(state_->options.path.c_str(), &info) == 0) state_->inode = info.st_ino;
  accept();
  return {};
}

int RpcServer::descriptor() const {
  return state_->acceptor.native_handle();
}

void RpcServer::pause() {
  ErrorCode ignored;
  state_->paused = true;
  state_->acceptor.cancel(ignored);
}

void RpcServer::resume() {
  if (std::exchange(state_->paused, false)) accept();
}

void RpcServer::give_away() {
  state_->inode = 0;
}

void RpcServer::accept() {
  if (state_->paused) return;
  state_->acceptor.async_accept([this, state = state_](ErrorCode error, Local::socket socket) {
    if (error == asio::error::operation_aborted || !state->acceptor.is_open()) return;  // `this` may be gone
    if (error) {  // out of descriptors: waiting connections would be reported at once again
      log::warning("control socket: {}", error.message());
      state->retry.expires_after(100ms);
      state->retry.async_wait([this](ErrorCode aborted) {
        if (!aborted) accept();
      });
      return;
    }
    const auto connection = std::make_shared<Connection>(state, std::move(socket));
    const bool full = state->connections.size() >= state->options.connections_max;
    state->connections.insert(connection);
    if (full)
      connection->refuse(rpc_code::overloaded, fmt::format("more than {} connections", state->options.connections_max));
    else
      connection->read();
    accept();
  });
}

std::size_t RpcServer::connections() const {
  return state_->connections.size();
}

bool RpcServer::is_writing() const {
  return state_->writing > 0;
}

}  // namespace perdure::admin
