#include "testing/words.hpp"

#include "testing/answers.hpp"

#include "wire/overloaded.hpp"
#include "wire/quote.hpp"

#include <algorithm>
#include <cstdio>
#include <tuple>
#include <variant>

namespace dynconf::testing {
namespace {

constexpr std::size_t longest = 40;   // of a key or value
constexpr std::size_t most = 8;       // of a list

template <class T>
std::string list(const std::vector<T>& all) {
    if (all.empty()) return "nothing";
    std::string text;
    for (std::size_t i = 0; i < all.size() && i < most; ++i) text += (i == 0 ? "" : ", ") + shown(all[i]);
    if (all.size() > most) text += " and " + std::to_string(all.size() - most) + " more";
    return text;
}

const char* word(comparison::target t) {
    switch (t) {
        case comparison::target::version: return "version";
        case comparison::target::create_revision: return "create_revision";
        case comparison::target::mod_revision: return "mod_revision";
        case comparison::target::value: return "value";
        case comparison::target::lease: return "lease";
    }
    return "?";
}

const char* sign(comparison::relation r) {
    switch (r) {
        case comparison::relation::equal: return "=";
        case comparison::relation::not_equal: return "!=";
        case comparison::relation::less: return "<";
        case comparison::relation::greater: return ">";
    }
    return "?";
}

std::string words(const comparison& c) {
    const auto keys = key_range::raw(c.key, c.range_end);
    return std::string(word(c.what)) + " of " + shown(keys) + ' ' + sign(c.is) + ' '
        + (c.what == comparison::target::value ? shown(c.bytes) : std::to_string(c.number));
}

std::string words(const std::vector<op>& branch) { return "{" + (branch.empty() ? "" : list(branch)) + "}"; }

}  // namespace

std::string shown(std::string_view bytes) { return bytes.empty() ? "\"\"" : wire::quote(bytes, longest); }

std::string shown(const key_value& kv) {
    std::string text = shown(kv.key) + "=" + shown(kv.value);
    if (kv.mod_revision != 0) text += " (mod " + std::to_string(kv.mod_revision) + (kv.version != 0 ? ", version " + std::to_string(kv.version) : "") + ")";
    return text;
}

std::string shown(const std::vector<key_value>& kvs) { return list(kvs); }

std::string shown(const event& e) {
    return e.type == event::kind::put ? "put " + shown(e.kv.key) + "=" + shown(e.kv.value) : "delete " + shown(e.kv.key);
}

std::string shown(const std::vector<event>& events) { return list(events); }

std::string shown(const key_range& range) {
    if (range.is_single_key()) return shown(range.first());
    if (range == key_range::all()) return "all keys";
    return "[" + shown(range.first()) + ", " + (range.range_end() == std::string(1, '\0') ? "" : shown(range.range_end())) + ")";
}

std::string shown(const op& call) {
    return std::visit(wire::overloaded{
        [](const op::range_op& o) {
            return std::string(o.options.read == consistency::serializable ? "serializable " : "") + "range " + shown(o.range)
                + (o.options.revision > 0 ? " at revision " + std::to_string(o.options.revision) : "");
        },
        [](const op::put_op& o) { return "put " + shown(o.key) + "=" + shown(o.value); },
        [](const op::delete_op& o) { return "delete " + shown(o.range); },
        [](const op::txn_op& o) {
            std::string text = "txn if {";
            for (const comparison& c : o.what->compares()) text += (&c == &o.what->compares().front() ? "" : ", ") + words(c);
            text += "} then " + words(o.what->success());
            return o.what->failure().empty() ? text : text + " else " + words(o.what->failure());
        },
    }, call.what());
}

std::string shown(const op_response& answer) {
    return std::visit(wire::overloaded{
        [](const range_response& a) {
            return a.kvs.empty() ? "count " + std::to_string(a.count) : shown(a.kvs);
        },
        [](const put_response& a) { return a.prev_kv ? "done, before it " + shown(*a.prev_kv) : std::string("done"); },
        [](const delete_response& a) { return std::to_string(a.deleted) + " deleted"; },
        [](const txn_response& a) {
            std::string text = a.succeeded ? "then {" : "else {";
            for (const op_response& r : a.responses) text += (&r == &a.responses.front() ? "" : "; ") + shown(r);
            return text + "}";
        },
    }, static_cast<const op_response::variant&>(answer));
}

storyteller::storyteller(const history& h) : history_(h), origin_(time_point::max()) {
    for (const auto& o : h.operations) origin_ = std::min(origin_, o.called);
    for (const auto& l : h.leases) origin_ = std::min(origin_, l.called);
    for (const auto& o : h.observers)
        for (const sight& s : o.seen) origin_ = std::min(origin_, s.at);
}

std::string storyteller::moment(time_point t) const {
    char text[40];
    std::snprintf(text, sizeof text, "%.3f s", std::chrono::duration<double>(t - origin_).count());
    return text;
}

std::string storyteller::operation(std::size_t i) const {
    const auto& o = history_.operations[i];
    std::string text = "call " + std::to_string(i) + " of client " + std::to_string(o.client) + " (" + moment(o.called);
    if (o.state != write_state::unknown) text += " to " + moment(o.returned);
    text += "): " + shown(o.what) + ": ";
    if (o.state == write_state::unknown) return text + "outcome unknown";
    if (o.state == write_state::not_executed || !o.answer) return text + "not executed";
    return text + shown(*o.answer) + ", at revision " + std::to_string(revision_of(*o.answer));
}

std::string storyteller::operations(std::vector<std::size_t> which) const {
    const auto place = [&](std::size_t i) {
        const auto& o = history_.operations[i];
        return std::tuple(o.answer ? revision_of(*o.answer) : INT64_MAX, o.called, i);
    };
    std::sort(which.begin(), which.end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
    which.erase(std::unique(which.begin(), which.end()), which.end());
    std::string text;
    for (const std::size_t i : which) text += "\n  " + operation(i);
    return text;
}

}  // namespace dynconf::testing
