#include "soak/program_lines.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <utility>

namespace dynconf::test {

using nlohmann::json;
using testing::sight;

namespace {

constexpr std::size_t most_faults = 50;   // the first say it all

event event_of(const json& from) {
    event e;
    const std::string type = from.at("type");
    if (type != "put" && type != "delete") throw std::runtime_error("an event of an unknown type");
    e.type = type == "put" ? event::kind::put : event::kind::erase;
    e.kv.key = from.at("key");
    e.kv.mod_revision = from.at("mod_revision");
    if (type == "put") e.kv.value = from.at("value");
    return e;
}

mirror_step::reason reason_of(const std::string& name) {
    using reason = mirror_step::reason;
    if (name == "compacted") return reason::compacted;
    if (name == "store_replaced") return reason::store_replaced;
    if (name == "repaired") return reason::repaired;
    return reason::none;
}

}  // namespace

void program_lines::take(time_point at, std::string_view text) {
    try {
        const json line = json::parse(text);
        const std::string type = line.at("type");
        if (type == "state") return state(at, line.at("state"));
        sight s{.at = at, .revision = line.at("revision")};
        if (type == "snapshot") {
            s.what = sight::kind::snapshot;
            if (line.contains("keys_base64")) throw std::runtime_error("bytes that nobody wrote");
            for (const auto& [key, value] : line.at("keys").items()) {
                key_value& kv = s.content.emplace_back();
                kv.key = key;
                kv.value = value;
            }
        } else if (type == "update" || type == "resync") {
            s.what = type == "update" ? sight::kind::batch : sight::kind::resync;
            for (const json& e : line.at("events")) s.events.push_back(event_of(e));
            if (type == "resync") s.why = reason_of(line.value("reason", std::string()));
            ++(type == "update" ? figures_.revisions : figures_.resyncs);
        } else {
            throw std::runtime_error("a line of an unknown type");
        }
        to_.seen.push_back(std::move(s));
    } catch (const std::exception& e) {
        if (faults_.size() < most_faults) faults_.push_back(std::string(e.what()) + ": " + std::string(text.substr(0, 200)));
    }
}

void program_lines::state(time_point at, const std::string& now) {
    if (now != "starting" && now != "live" && now != "stale") throw std::runtime_error("an unknown state");
    if ((now == "live") != (state_ == "live")) {
        if (now == "live") {
            to_.seen.push_back({.what = sight::kind::live, .at = at});
            if (not_live_since_)
                figures_.longest_not_live = std::max(figures_.longest_not_live, std::chrono::duration_cast<std::chrono::milliseconds>(at - *not_live_since_));
            not_live_since_.reset();
        } else if (!state_.empty()) {
            to_.seen.push_back({.what = sight::kind::stale, .at = at});
            not_live_since_ = at;
            ++figures_.times_not_live;
        }
    }
    state_ = now;
}

}  // namespace dynconf::test
