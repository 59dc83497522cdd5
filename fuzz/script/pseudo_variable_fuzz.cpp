// A pseudo-variable of any text is refused with a reason, or is the same when its name is written out and parsed again. One with
// transformations is read from a message made of the input, too: whatever it gives is bounded.
#include <memory>
#include <string>
#include <vector>

#include "fuzz/input.hpp"
#include "proxy/proxy.hpp"
#include "script/pseudo_variable.hpp"
#include "script/script_runner.hpp"
#include "script/text_template.hpp"
#include "store/store.hpp"
#include "transaction/record.hpp"

namespace {

using perdure::fuzz::expect;
using perdure::script::PseudoVariable;
using perdure::script::TextTemplate;
using perdure::script::VariableArgument;
using perdure::script::VariableIndex;

std::string write(const VariableIndex& index) {
  if (!index.given) return {};
  return index.all ? "[*]" : "[" + std::to_string(index.number) + "]";
}

std::string write(const PseudoVariable& variable) {
  const std::string name(variable.variable_class->name);
  if (variable.variable_class->argument == VariableArgument::None) return "$(" + name + ")";
  if (variable.variable_class->argument == VariableArgument::Field)
    return "$" + name + "(" + variable.argument + write(variable.index) +
           (variable.field.empty() ? "" : "=>" + variable.field + write(variable.field_index)) + ")";
  // With the prefix that $avp() takes off.
  return "$(" + name + "(" + (name == "avp" ? "s:" : "") + variable.argument + ")" + write(variable.index) + ")";
}

void check_written(const PseudoVariable& variable) {
  if (variable.argument_variable || variable.index.variable || variable.field_index.variable) return;
  const auto again = PseudoVariable::parse(write(variable));
  expect(again.has_value(), "a variable is refused when it is written out");
  expect(again->variable_class == variable.variable_class && again->argument == variable.argument && again->field == variable.field &&
             again->keyword == variable.keyword && again->index.number == variable.index.number &&
             again->index.given == variable.index.given && again->index.all == variable.index.all &&
             again->field_index.number == variable.field_index.number,
         "a variable is another when it is written out");
}

// The script takes the variable and the value from the body of a request, and fails if the result is longer than it may be.
constexpr const char* script = R"(
function ksr_request_route()
  local name, value = KSR.pv.gete('$rb'):match('^([^\n]*)\n?(.*)$')
  KSR.pv.sets('$var(x)', value)
  KSR.pv.sets('$avp(x)', value)
  local read, result = pcall(KSR.pv.get, name)
  if read and type(result) == 'string' and #result > 65535 then error('too long') end
  KSR.x.drop()
end
)";

class World {
 public:
  World() : memory_((2 << 20) / 8) {
    using namespace perdure;
    script::ScriptOptions script_options;
    script_options.text = script;
    runner_ = std::move(*script::ScriptRunner::create(script_options, 0, Random(1)));
    store::Options store_options;
    store_options.partitions = 1;
    store_options.extent_bytes = 16 * 1024;
    store_options.kinds = {store::kind_info<transaction::TransactionHeader>()};
    store_options.secret = 42;
    store_ = std::move(*store::Store::attach_memory(reinterpret_cast<char*>(memory_.data()), memory_.size() * 8, store_options));
    proxy::ProxyOptions options;
    options.sockets = {{.transport = Transport::Udp,
                        .address = *SocketAddress::parse("127.0.0.1", 5060),
                        .advertised_host = "127.0.0.1",
                        .advertised_port = 5060}};
    proxy_ = std::make_unique<proxy::Proxy>(options, *store_, 0, 1, *runner_, Random(2));
    proxy_->attach(store_->now(0), outputs_);
  }

  void read(std::string_view body) {
    using namespace perdure;
    const std::string request =
        "OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:6000;branch=z9hG4bK-1\r\nFrom: <sip:a@b>;tag=1\r\nTo: "
        "<sip:c@d>\r\n"
        "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nX-A: 1, 2\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    proxy_->on_received({request, *SocketAddress::parse("127.0.0.1", 6000), 0, 0}, store_->now(0), outputs_);
    outputs_.clear();
    proxy_->outputs_sent();
    expect(runner_->counters().errors == 0, "a transformation gives more than it may");
  }

 private:
  std::vector<std::uint64_t> memory_;
  std::unique_ptr<perdure::store::Store> store_;
  std::unique_ptr<perdure::script::ScriptRunner> runner_;
  std::unique_ptr<perdure::proxy::Proxy> proxy_;
  perdure::proxy::Outputs outputs_;
};

}  // namespace

// The first line is the variable, the rest what $var(x) has and what the body of the message is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view text = all.substr(0, all.find('\n'));
  const auto variable = PseudoVariable::parse(text);
  if (!variable) {
    expect(variable.error().message.size() > text.size() + 2, "refused without a reason");
    (void)TextTemplate::parse(text);
    return 0;
  }
  expect(variable->variable_class != nullptr, "a variable of no class");
  check_written(*variable);
  if (variable->transformations.empty()) return 0;
  static World world;
  world.read(all);
  return 0;
}
