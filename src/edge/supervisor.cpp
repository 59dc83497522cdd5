#include "edge/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <boost/asio/post.hpp>
#include "base/logging.hpp"
#include "net/udp_socket.hpp"

namespace perdure::edge {

using std::chrono::steady_clock;

namespace {

constexpr Duration call_deadline = 5s, stop_deadline = 5s;
constexpr Duration closed_deadline = 500ms;  // an engine that has closed its channel has so long to end by itself
constexpr Duration quick = 1s;               // an engine that dies sooner than that after it attached is a sign of a crash loop

std::uint64_t monotonic_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch()).count());
}

// The first few deaths in a row cost no delay, then it doubles up to a second.
Duration back_off(std::uint32_t failures, Duration first, Duration most) {
  if (failures == 0) return {};
  return std::min<Duration>(first * (std::int64_t{1} << std::min(failures - 1, 20U)), most);
}

void keep_open_over_exec(int descriptor) {
  (void)fcntl(descriptor, F_SETFD, 0);
}

}  // namespace

struct Supervisor::Process {
  Process(boost::asio::io_context& context, pid_t process_id, int pidfd, int channel_descriptor)
      : pid(process_id), death(context, pidfd), channel(channel_descriptor), readable(context, channel_descriptor) {}
  ~Process() { readable.release(); }  // the channel closes it

  pid_t pid;
  boost::asio::posix::stream_descriptor death;
  Channel channel;
  boost::asio::posix::stream_descriptor readable;
  Phase phase = Phase::Initialising;
  bool hung = false, gone = false, closed = false;
  steady_clock::time_point closed_at{};
  std::string error;
  steady_clock::time_point since = steady_clock::now();
};

Supervisor::Supervisor(boost::asio::io_context& context, SupervisorOptions options)
    : context_(context),
      options_(std::move(options)),
      check_timer_(context),
      spare_timer_(context),
      promote_timer_(context),
      stop_timer_(context) {}

Supervisor::~Supervisor() {
  for (auto* process : {engine_.get(), spare_.get()})
    if (process && !process->gone) {
      (void)kill(process->pid, SIGKILL);
      (void)waitpid(process->pid, nullptr, 0);
    }
  for (const auto& process : leaving_)
    if (!process->gone) (void)waitpid(process->pid, nullptr, 0);
  for (const int socket : sockets_) close(socket);
}

void Supervisor::write_pid(const char* file, pid_t pid) const {
  if (options_.pid_directory.empty()) return;
  const std::filesystem::path path = std::filesystem::path(options_.pid_directory) / file;
  std::error_code ignored;
  if (pid == 0) {
    std::filesystem::remove(path, ignored);
    return;
  }
  // Beside and renamed: a reader sees the old number or the new one.
  const auto fresh = path.string() + ".new";
  std::ofstream(fresh) << pid << '\n';
  std::filesystem::rename(fresh, path, ignored);
}

Result<> Supervisor::open_sockets() {
  for (const auto& wanted : options_.udp) {
    SocketAddress address = wanted;
    for (std::uint32_t worker = 0; worker < options_.workers; ++worker) {
      const auto descriptor = net::open_udp_socket(address, options_.receive_buffer_bytes, worker == 0);
      if (!descriptor) return std::unexpected(descriptor.error());
      sockets_.push_back(*descriptor);
      address = net::local_address(*descriptor);
    }
    addresses_.push_back(address);
  }
  return {};
}

Result<> Supervisor::start() {
  auto region = SharedRegion::create(options_.workers);
  if (!region) return std::unexpected(region.error());
  region_ = std::move(*region);
  if (auto opened = open_sockets(); !opened) return opened;
  starting_ = true;
  auto first = spawn();
  if (!first) return std::unexpected(first.error());
  spare_ = std::move(*first);
  watch(*spare_);
  engine_wanted_ = true;
  arm_check();
  const auto deadline = steady_clock::now() + options_.attach_deadline;
  while (!status_.serving && start_error_.empty() && steady_clock::now() < deadline) context_.run_one_for(100ms);
  starting_ = false;
  if (status_.serving) {
    status_.edge = getpid();
    write_pid("edge.pid", status_.edge);
    return {};
  }
  return fail(start_error_.empty() ? "the engine did not come up in time" : start_error_);
}

Result<std::unique_ptr<Supervisor::Process>> Supervisor::spawn() {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return fail(fmt::format("socketpair: {}", std::strerror(errno)));
  std::string sockets;
  for (const int socket : sockets_) sockets += fmt::format("{}{}", sockets.empty() ? "" : ",", socket);
  std::vector<std::string> texts = {options_.binary};
  texts.insert(texts.end(), options_.engine_arguments.begin(), options_.engine_arguments.end());
  for (const auto& text :
       {std::string("--channel"), std::to_string(pair[1]), std::string("--shared"), std::to_string(region_->descriptor())})
    texts.push_back(text);
  if (!sockets.empty()) texts.insert(texts.end(), {"--sockets", sockets});
  std::vector<char*> arguments;
  for (auto& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) {
    const int error = errno;
    close(pair[0]);
    close(pair[1]);
    return fail(fmt::format("fork: {}", std::strerror(error)));
  }
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);  // it died before the line above
    sigset_t none;
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal_number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD}) (void)::signal(signal_number, SIG_DFL);
    keep_open_over_exec(pair[1]);
    keep_open_over_exec(region_->descriptor());
    for (const int socket : sockets_) keep_open_over_exec(socket);
    execv(options_.binary.c_str(), arguments.data());
    _exit(127);
  }
  close(pair[1]);
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    const int error = errno;
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, nullptr, 0);
    close(pair[0]);
    return fail(fmt::format("pidfd_open: {}", std::strerror(error)));
  }
  return std::make_unique<Process>(context_, pid, pidfd, pair[0]);
}

void Supervisor::watch(Process& process) {
  process.death.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, &process](boost::system::error_code error) {
    if (!error) on_death(process);
  });
  watch_channel(process);
}

void Supervisor::watch_channel(Process& process) {
  process.readable.async_wait(boost::asio::posix::stream_descriptor::wait_read, [this, &process](boost::system::error_code error) {
    if (error || process.gone) return;
    const bool open = process.channel.fill();
    while (auto received = process.channel.take()) on_message(process, std::move(*received));
    if (open) return watch_channel(process);
    // It closed its end or speaks nonsense. Mostly it is just ending: how, its exit status will say. check() ends it if it does not.
    process.closed = true;
    process.closed_at = steady_clock::now();
  });
}

void Supervisor::on_message(Process& process, Channel::Received received) {
  switch (received.type) {
    case Message::Initialised:
      process.phase = Phase::Waiting;
      spare_failures_ = 0;
      status_.spare_error.clear();
      if (&process == spare_.get()) write_pid("spare.pid", process.pid);
      if (engine_wanted_) need_engine();
      break;
    case Message::InitialiseFailed:
    case Message::AttachFailed:
      process.error = std::move(received.payload);
      break;
    case Message::Attached:
      if (process.phase == Phase::Attaching) on_attached(process, std::move(received.payload));
      break;
    case Message::Stopped:
      if (process.phase == Phase::Stopping) stopped_orderly_ = true;
      break;
    case Message::RpcResponse:
      if (const auto parts = Channel::split_id(received.payload)) {
        if (const auto found = calls_.find(parts->first); found != calls_.end()) {
          auto done = std::move(found->second.done);
          calls_.erase(found);
          done(std::string(parts->second));
        }
      }
      break;
    case Message::ReloadResult:
      if (auto done = std::exchange(reloaded_, nullptr)) {
        if (!received.payload.empty()) return done(fail(received.payload));
        if (spare_ && !spare_->gone) (void)kill(spare_->pid, SIGKILL);  // its successor loads the new files
        spare_failures_ = 0;
        done({});
      }
      break;
    default:
      log::warning("engine {} sent message {}, which engines do not send", process.pid, static_cast<int>(received.type));
  }
}

void Supervisor::attach(Process& process) {
  process.phase = Phase::Attaching;
  process.since = steady_clock::now();
  if (!process.channel.send(Message::Attach, name(death_))) (void)kill(process.pid, SIGKILL);
}

// Brings the next engine to work: the spare if it is ready, else the one that is coming up.
void Supervisor::need_engine() {
  engine_wanted_ = true;
  if (engine_ || stopped_) return;
  if (!spare_) {
    if (!spare_pending_) start_spare(back_off(spare_failures_, 100ms, 5s));
    return;
  }
  if (spare_->phase != Phase::Waiting) return;
  const Duration delay = back_off(quick_deaths_ > 3 ? quick_deaths_ - 3 : 0, 10ms, 1s);
  if (delay == Duration{}) return promote();
  promote_timer_.expires_after(delay);
  promote_timer_.async_wait([this](boost::system::error_code error) {
    if (!error) promote();
  });
}

void Supervisor::promote() {
  if (engine_ || !spare_ || spare_->phase != Phase::Waiting || stopped_) return;
  engine_wanted_ = false;
  engine_ = std::move(spare_);
  attach(*engine_);
  write_pid("engine.pid", engine_->pid);
  write_pid("spare.pid", 0);
}

void Supervisor::on_attached(Process& process, std::string report) {
  process.phase = Phase::Running;
  const auto now = steady_clock::now();
  ++status_.engine_starts;
  status_.serving = true;
  status_.last_death = death_;
  status_.last_pause = death_ == Death::None ? Duration{} : std::chrono::duration_cast<Duration>(now - death_at_);
  status_.last_attach = std::move(report);
  attached_at_ = now;
  if (death_ != Death::None)
    log::notice("engine {} has taken over {:.1f} ms after the one before was {}", process.pid,
                static_cast<double>(status_.last_pause.count()) / 1000, name(death_));
  for (const auto& [id, call] : calls_) (void)process.channel.send(Message::RpcRequest, Channel::with_id(id, call.json));
  start_spare({});
}

void Supervisor::start_spare(Duration delay) {
  if (spare_ || stopped_ || spare_pending_) return;
  spare_pending_ = true;
  spare_timer_.expires_after(delay);
  spare_timer_.async_wait([this](boost::system::error_code error) {
    spare_pending_ = false;
    if (error || spare_ || stopped_) return;
    auto process = spawn();
    if (!process) {
      status_.spare_error = process.error().message;
      log::error("no spare engine: {}", status_.spare_error);
      return start_spare(back_off(++spare_failures_, 100ms, 5s));
    }
    spare_ = std::move(*process);
    watch(*spare_);
  });
}

void Supervisor::on_death(Process& process) {
  // What it said before it ended is still in the channel.
  (void)process.channel.fill();
  while (auto received = process.channel.take()) on_message(process, std::move(*received));
  siginfo_t info{};
  (void)waitid(P_PID, static_cast<id_t>(process.pid), &info, WEXITED);
  process.gone = true;
  std::erase_if(leaving_, [](const auto& other) { return other->gone; });
  const bool was_engine = &process == engine_.get();
  auto& owner = was_engine ? engine_ : spare_;
  if (owner.get() != &process) return;
  leaving_.push_back(std::move(owner));  // handlers of this process may still be running: it goes with the next death
  if (stopped_) {
    if (!engine_) finish_stop();
    return;
  }
  if (!was_engine) {
    write_pid("spare.pid", 0);
    if (!process.error.empty() || process.phase == Phase::Initialising) {
      status_.spare_error = process.error.empty() ? "the spare engine ended while it initialised" : process.error;
      if (starting_)
        start_error_ = status_.spare_error;
      else
        log::error("no spare engine: {}", status_.spare_error);
      ++spare_failures_;
    }
    if (!starting_) start_spare(back_off(spare_failures_, 100ms, 5s));
    return;
  }
  const auto now = steady_clock::now();
  const bool by_kill = info.si_code == CLD_KILLED && info.si_status == SIGKILL;
  const bool served = process.phase == Phase::Running;
  // Only what ended while it served counts as the death of an engine: one that failed to attach had nothing in work that was not there
  // before.
  if (served) {
    death_ = process.hung ? Death::Hung : by_kill ? Death::Killed : Death::Crashed;
    death_at_ = now;
    // A kill from outside, however often, is no sign of a crash loop.
    if (now - attached_at_ >= quick)
      quick_deaths_ = 0;
    else if (death_ != Death::Killed)
      ++quick_deaths_;
    log::warning("engine {} is gone ({}{})", process.pid, name(death_),
                 info.si_code == CLD_EXITED ? fmt::format(", exit code {}", info.si_status) : fmt::format(", signal {}", info.si_status));
  } else {
    ++quick_deaths_;
    // One that crashed on what it found is blamed like one that served, so that the next but one goes on without it. One that said why had
    // nothing in work.
    const bool crashed = process.error.empty() || process.hung;
    if (crashed) death_ = process.hung ? Death::Hung : by_kill ? Death::Killed : Death::Crashed;
    const std::string why = process.error.empty() ? "it ended while it attached" : process.error;
    log::error("engine {} could not attach: {}", process.pid, why);
    constexpr std::uint32_t first_attempts = 4;
    if (starting_ && (!crashed || quick_deaths_ >= first_attempts)) start_error_ = why;
  }
  status_.serving = false;
  for (std::uint32_t worker = 0; worker < region_->worker_count(); ++worker)
    region_->mark(worker).tick_us.store(0, std::memory_order_relaxed);
  write_pid("engine.pid", 0);
  if (auto done = std::exchange(reloaded_, nullptr)) done(fail("the engine ended during the reload"));
  if (start_error_.empty()) need_engine();
}

void Supervisor::arm_check() {
  check_timer_.expires_after(std::min<Duration>(options_.watchdog / 4, 250ms));
  check_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    check();
    arm_check();
  });
}

void Supervisor::check() {
  const auto now = steady_clock::now();
  if (engine_ && engine_->phase == Phase::Running) {
    const std::uint64_t now_us = monotonic_us();
    for (std::uint32_t worker = 0; worker < region_->worker_count() && !engine_->hung; ++worker) {
      const auto tick = region_->mark(worker).tick_us.load(std::memory_order_relaxed);
      if (tick == 0 || tick + static_cast<std::uint64_t>(options_.watchdog.count()) >= now_us) continue;
      log::error("worker {} of engine {} has not ticked for {} ms: it is killed", worker, engine_->pid, (now_us - tick) / 1000);
      engine_->hung = true;
      (void)kill(engine_->pid, SIGKILL);
    }
  }
  for (auto* process : {engine_.get(), spare_.get()}) {
    const bool slow = process && (process->phase == Phase::Initialising || process->phase == Phase::Attaching);
    if (slow && now - process->since > options_.attach_deadline) {
      process->error = "it took too long";
      process->hung = process->phase == Phase::Attaching;
      (void)kill(process->pid, SIGKILL);
    }
    if (process && process->closed && now - process->closed_at > closed_deadline) (void)kill(process->pid, SIGKILL);
    if (process && process->channel.wants_write()) (void)process->channel.flush();
  }
  for (auto at = calls_.begin(); at != calls_.end();) {
    if (at->second.deadline > now) {
      ++at;
      continue;
    }
    auto done = std::move(at->second.done);
    at = calls_.erase(at);
    done(fail("the engine did not answer within 5 seconds"));
  }
}

void Supervisor::call_engine(std::string json, std::function<void(Result<std::string>)> done) {
  if (stopped_) return done(fail("the server is stopping"));
  const std::uint64_t id = next_call_++;
  if (engine_ && engine_->phase == Phase::Running) (void)engine_->channel.send(Message::RpcRequest, Channel::with_id(id, json));
  calls_.emplace(id, Call{std::move(json), std::move(done), steady_clock::now() + call_deadline});
}

void Supervisor::reload(std::string_view request, std::function<void(Result<>)> done) {
  if (!engine_ || engine_->phase != Phase::Running) return done(fail("no engine is running"));
  if (reloaded_) return done(fail("a reload is in progress"));
  reloaded_ = std::move(done);
  if (!engine_->channel.send(Message::Reload, request))
    if (auto failed = std::exchange(reloaded_, nullptr)) failed(fail("the engine is gone"));
}

void Supervisor::fail_calls(const std::string& why) {
  auto calls = std::exchange(calls_, {});
  for (auto& [id, call] : calls) call.done(fail(why));
}

void Supervisor::stop(std::function<void(bool)> stopped) {
  if (stopped_) return;
  stopped_ = std::move(stopped);
  check_timer_.cancel();
  spare_timer_.cancel();
  promote_timer_.cancel();
  if (spare_ && !spare_->gone) (void)kill(spare_->pid, SIGKILL);
  if (!engine_) return boost::asio::post(context_, [this] { finish_stop(); });
  const bool running = engine_->phase == Phase::Running;
  engine_->phase = Phase::Stopping;
  if (!running || !engine_->channel.send(Message::Stop)) (void)kill(engine_->pid, SIGKILL);
  stop_timer_.expires_after(stop_deadline);
  stop_timer_.async_wait([this](boost::system::error_code error) {
    if (error || !engine_) return;
    log::error("engine {} did not stop in time: it is killed", engine_->pid);
    (void)kill(engine_->pid, SIGKILL);
  });
}

void Supervisor::finish_stop() {
  stop_timer_.cancel();
  fail_calls("the server is stopping");
  for (const char* file : {"engine.pid", "spare.pid", "edge.pid"}) write_pid(file, 0);
  status_.serving = false;
  if (auto stopped = std::exchange(stopped_, [](bool) {})) stopped(stopped_orderly_);
}

SupervisorStatus Supervisor::status() const {
  SupervisorStatus status = status_;
  status.edge = getpid();
  status.engine = engine_ ? engine_->pid : 0;
  status.spare = spare_ ? spare_->pid : 0;
  return status;
}

}  // namespace perdure::edge
