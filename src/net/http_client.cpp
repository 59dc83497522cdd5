#include "net/http_client.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <list>
#include <utility>

#include "base/assert.hpp"

namespace perdure::net {
namespace {

constexpr long redirects_max = 5;
constexpr auto idle = std::chrono::milliseconds(1000);

void begin_library() {
  static const CURLcode begun = curl_global_init(CURL_GLOBAL_ALL);
  PERDURE_ASSERT(begun == CURLE_OK);
}

struct EndHandle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct EndHeaders {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

long milliseconds_until(ServiceTime end) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(end - service_now()).count());
}

}  // namespace

struct HttpClient::Job {
  HttpRequest request;
  Done done;
  ServiceTime begun, deadline;
  // While it is transferred.
  std::unique_ptr<CURL, EndHandle> handle;
  std::unique_ptr<curl_slist, EndHeaders> headers;
  HttpResponse response;
  std::size_t head_bytes = 0;
  const HttpOptions* options = nullptr;
  bool too_large = false;
};

// libcurl's side, for the thread of the client.
class HttpClient::Transfers {
 public:
  explicit Transfers(const HttpOptions& options) : options_(options), multi_(curl_multi_init()) {
    PERDURE_ASSERT(multi_ != nullptr);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, static_cast<long>(options.connections));
  }
  ~Transfers() {
    PERDURE_ASSERT(active_.empty());
    curl_multi_cleanup(multi_);
  }
  Transfers(const Transfers&) = delete;
  Transfers& operator=(const Transfers&) = delete;

  // Any thread.
  void wake() { curl_multi_wakeup(multi_); }

  [[nodiscard]] std::size_t active() const { return active_.size(); }
  [[nodiscard]] bool has_room() const { return active_.size() < options_.connections; }

  // The job, with its error, if it cannot begin.
  [[nodiscard]] std::unique_ptr<Job> begin(std::unique_ptr<Job> job) {
    job->options = &options_;
    job->handle.reset(curl_easy_init());
    if (!job->handle || !set_options(*job)) return failed(std::move(job), CURLE_OUT_OF_MEMORY);
    CURL* const handle = job->handle.get();
    if (curl_multi_add_handle(multi_, handle) != CURLM_OK) return failed(std::move(job), CURLE_FAILED_INIT);
    active_.push_back(std::move(job));
    return nullptr;
  }
  // Does what can be done at once; gives the next job that has ended, null if there is none.
  [[nodiscard]] std::unique_ptr<Job> ended() {
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;  // `message` ends with its handle
      return take(message->easy_handle, code);
    }
    return nullptr;
  }
  void perform() {
    int running = 0;
    curl_multi_perform(multi_, &running);
  }
  void wait(std::chrono::milliseconds most) { curl_multi_poll(multi_, nullptr, 0, static_cast<int>(most.count()), nullptr); }
  // One that is in progress, null if there is none.
  [[nodiscard]] std::unique_ptr<Job> abort_one() {
    return active_.empty() ? nullptr : take(active_.back()->handle.get(), CURLE_ABORTED_BY_CALLBACK);
  }

  static std::unique_ptr<Job> failed(std::unique_ptr<Job> job, CURLcode code) {
    job->response.error = static_cast<int>(code);
    job->response.error_text = curl_easy_strerror(code);
    return job;
  }

 private:
  std::unique_ptr<Job> take(CURL* handle, CURLcode code) {
    const auto found = std::ranges::find(active_, handle, [](const auto& job) { return job->handle.get(); });
    PERDURE_ASSERT(found != active_.end());
    auto job = std::move(*found);
    active_.erase(found);
    curl_multi_remove_handle(multi_, handle);
    if (code != CURLE_OK) {
      job = failed(std::move(job), code);
      if (job->too_large) job->response.error_text = "the response is too large";
      job->response.body.clear();
      job->response.head.clear();
      return job;
    }
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    job->response.status = static_cast<int>(status);
    return job;
  }

  static std::size_t take_header(char* bytes, std::size_t size, std::size_t count, void* argument) {
    auto& job = *static_cast<Job*>(argument);
    const std::string_view line(bytes, size * count);
    job.head_bytes += line.size();
    if (job.head_bytes > job.options->head_max) {
      job.too_large = true;
      return 0;
    }
    if (line.starts_with("HTTP/")) job.response.head.clear();  // of the one that redirects, or of a 100
    if (line != "\r\n") job.response.head += line;
    return line.size();
  }
  static std::size_t take_body(char* bytes, std::size_t size, std::size_t count, void* argument) {
    auto& job = *static_cast<Job*>(argument);
    const std::size_t more = size * count;
    if (job.response.body.size() + more > job.options->body_max) {
      job.too_large = true;
      return 0;
    }
    job.response.body.append(bytes, more);
    return more;
  }

  bool set_options(Job& job) {
    CURL* const handle = job.handle.get();
    const HttpRequest& request = job.request;
    bool good = true;
    const auto set = [&](CURLoption option, auto value) { good = curl_easy_setopt(handle, option, value) == CURLE_OK && good; };
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, options_.follow_redirects ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, redirects_max);
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    const std::string& ca = request.ca_file.empty() ? options_.ca_file : request.ca_file;
    if (ca.ends_with('/'))
      set(CURLOPT_CAPATH, ca.c_str());
    else if (!ca.empty())
      set(CURLOPT_CAINFO, ca.c_str());
    if (!request.client_certificate.empty()) set(CURLOPT_SSLCERT, request.client_certificate.c_str());
    if (!request.client_key.empty()) set(CURLOPT_SSLKEY, request.client_key.c_str());
    if (!request.user.empty()) {
      set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC | CURLAUTH_DIGEST));
      set(CURLOPT_USERNAME, request.user.c_str());
      set(CURLOPT_PASSWORD, request.password.c_str());
    }
    if (!options_.user_agent.empty()) set(CURLOPT_USERAGENT, options_.user_agent.c_str());
    if (!request.body.empty()) {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.data());  // lives as long as the transfer
    } else if (request.method == "POST") {
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(0));
      set(CURLOPT_POST, 1L);
    }
    if (request.method == "HEAD") set(CURLOPT_NOBODY, 1L);
    if (!request.method.empty()) set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    for (const auto& line : request.headers) {
      curl_slist* const longer = curl_slist_append(job.headers.get(), line.c_str());
      good = longer && good;
      if (longer) {
        (void)job.headers.release();
        job.headers.reset(longer);
      }
    }
    if (job.headers) set(CURLOPT_HTTPHEADER, job.headers.get());
    set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(options_.body_max));
    set(CURLOPT_HEADERFUNCTION, &take_header);
    set(CURLOPT_HEADERDATA, static_cast<void*>(&job));
    set(CURLOPT_WRITEFUNCTION, &take_body);
    set(CURLOPT_WRITEDATA, static_cast<void*>(&job));
    set(CURLOPT_TIMEOUT_MS, std::max(1L, milliseconds_until(job.deadline)));
    return good;
  }

  const HttpOptions& options_;
  CURLM* const multi_;
  std::vector<std::unique_ptr<Job>> active_;
};

HttpClient::HttpClient(HttpOptions options) : options_(std::move(options)) {}

void HttpClient::begin() {
  begin_library();
  transfers_ = std::make_unique<Transfers>(options_);
  thread_ = std::thread([this] { run(); });
}

HttpClient::~HttpClient() {
  if (!thread_.joinable()) return;
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  transfers_->wake();
  thread_.join();
}

std::uint64_t HttpClient::request(HttpRequest request, Duration timeout, Done done) {
  auto job = std::make_unique<Job>();
  job->request = std::move(request);
  job->done = std::move(done);
  job->begun = service_now();
  job->deadline = service_deadline(timeout);
  std::call_once(begun_, [this] { begin(); });
  std::uint64_t number = 0;
  {
    const std::scoped_lock lock(mutex_);
    number = ++counters_.requests;
    // Told by the thread of the client, as all are.
    if (stopping_ || counters_.waiting >= options_.queue_max) {
      ++counters_.overloads;
      job->response.error = CURLE_AGAIN;
      job->response.error_text = stopping_ ? "the server is stopping" : "too many HTTP requests wait";
    } else {
      ++counters_.waiting;
    }
    submitted_.push_back(std::move(job));
  }
  transfers_->wake();
  return number;
}

ServiceCounters HttpClient::counters() const {
  const std::scoped_lock lock(mutex_);
  return counters_;
}

std::string_view HttpClient::error_text(int code) {
  return curl_easy_strerror(static_cast<CURLcode>(code));
}

void HttpClient::run() {
  std::list<std::unique_ptr<Job>> waiting;
  std::vector<std::unique_ptr<Job>> over;  // to be told

  const auto expire = [&] {
    const auto now = service_now();
    for (auto at = waiting.begin(); at != waiting.end();) {
      if ((*at)->deadline > now) {
        ++at;
        continue;
      }
      over.push_back(Transfers::failed(std::move(*at), CURLE_OPERATION_TIMEDOUT));
      at = waiting.erase(at);
    }
  };
  const auto tell = [&] {
    std::unique_lock lock(mutex_);
    counters_.waiting =
        waiting.size() + static_cast<std::size_t>(std::ranges::count(submitted_, 0, [](const auto& job) { return job->response.error; }));
    counters_.in_flight = transfers_->active();
    for (const auto& job : over) {
      counters_.errors += job->response.error != 0;
      counters_.timeouts += job->response.error == CURLE_OPERATION_TIMEDOUT;
      counters_.latency_us += static_cast<std::uint64_t>(std::chrono::duration_cast<Duration>(service_now() - job->begun).count());
      long connects = 0;
      if (job->handle && curl_easy_getinfo(job->handle.get(), CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK)
        counters_.connects += static_cast<std::uint64_t>(connects);
    }
    lock.unlock();
    for (const auto& job : over) job->done(std::move(job->response));
    over.clear();
  };

  while (true) {
    bool stopping = false;
    {
      const std::scoped_lock lock(mutex_);
      stopping = stopping_;
      for (auto& job : std::exchange(submitted_, {})) {
        if (job->response.error)
          over.push_back(std::move(job));
        else
          waiting.push_back(std::move(job));
      }
    }
    expire();
    while (!stopping && !waiting.empty() && transfers_->has_room()) {
      if (auto refused = transfers_->begin(std::move(waiting.front()))) over.push_back(std::move(refused));
      waiting.pop_front();
    }
    transfers_->perform();
    while (auto job = transfers_->ended()) over.push_back(std::move(job));
    if (stopping) {
      while (auto job = transfers_->abort_one()) over.push_back(std::move(job));
      for (auto& job : waiting) over.push_back(Transfers::failed(std::move(job), CURLE_ABORTED_BY_CALLBACK));
      waiting.clear();
      tell();
      const std::scoped_lock lock(mutex_);
      if (submitted_.empty()) return;
      continue;
    }
    const bool some_ended = !over.empty();
    tell();
    if (some_ended) continue;  // others have room now
    auto most = std::chrono::milliseconds(idle);
    for (const auto& job : waiting)
      most = std::clamp(std::chrono::milliseconds(milliseconds_until(job->deadline)), std::chrono::milliseconds(1), most);
    transfers_->wait(most);
  }
}

}  // namespace perdure::net
