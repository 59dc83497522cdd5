"""The cases, a file for each theme. A case is a script and a function that plays the peers; its name is that of file and function."""

ALL = []


class Case:
    def __init__(self, play, script, fr_timer, count_all, silent, script_errors, anyone):
        self.theme = play.__module__.split(".")[-1]
        self.name = f"{self.theme}.{play.__name__}"
        self.text = (play.__doc__ or "").strip()
        self.play, self.script, self.fr_timer, self.count_all, self.silent = play, script, fr_timer, count_all, silent
        self.script_errors, self.anyone = script_errors, anyone


def case(script, *, fr_timer="long", count_all=False, silent=False, script_errors=False, anyone=False):
    """`script`: in Lua, {bob} and the like are replaced by host:port. `fr_timer`: "short" when a branch shall time out. `count_all`:
    retransmissions count. `silent`: nothing may come out. `script_errors`: the script fails on purpose. `anyone`: it does not matter which of the
    callees gets a message."""

    def add(play):
        made = Case(play, script, fr_timer, count_all, silent, script_errors, anyone)
        assert made.text, f"{made.name} says nothing about itself"
        assert made.name not in (other.name for other in ALL), f"{made.name} is there twice"
        ALL.append(made)
        return play

    return add


# What most scripts do in the end.
RELAY = """
function ksr_request_route()
  if KSR.siputils.has_totag() > 0 then
    if KSR.rr.loose_route() < 0 and KSR.is_ACK() then
      if KSR.tm.t_check_trans() > 0 then KSR.tm.t_relay() end
      return 1
    end
  end
  if KSR.tm.t_check_trans() == 0 then return 1 end
  if KSR.maxfwd.process_maxfwd(10) < 0 then
    KSR.sl.sl_send_reply(483, "Too Many Hops")
    return 1
  end
  prepare()
  if KSR.tm.t_relay() < 0 then KSR.sl.sl_reply_error() end
end
"""


def relaying(prepare="", rest=""):
    """A script that runs `prepare` before it relays."""
    return f"local function prepare()\n{prepare}\nend\n{RELAY}{rest}"
