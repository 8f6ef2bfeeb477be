#include "testing/history_file.hpp"

#include "testing/history_words.hpp"

#include "wire/base64.hpp"
#include "wire/json_depth.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

namespace dynconf::testing {
namespace {

using nlohmann::json;
using namespace file_words;

/// Brackets of a line: reading goes down with those of a transaction.
constexpr std::size_t deepest = 256;

/// A JSON object whose members are asked for by name. Errors name the member; what nobody asked for is one, too.
class object {
public:
    object(const json& j, std::string path) : json_(j), path_(std::move(path)) {
        if (!j.is_object()) fail("", "not an object");
    }

    bool has(const std::string& name) const { return json_.contains(name); }
    bool has_bytes(const std::string& name) const { return has(name) || has(name + "_base64"); }

    std::int64_t number(const std::string& name) {
        const json& j = member(name);
        if (!j.is_number_integer()
            || (j.is_number_unsigned() && j.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}))
            fail(name, "not a whole number");
        return j.get<std::int64_t>();
    }
    std::int64_t number_or_zero(const std::string& name) { return has(name) ? number(name) : 0; }
    time_point moment(const std::string& name) { return time_point(std::chrono::nanoseconds(number(name))); }
    unsigned small_number(const std::string& name) {
        const std::int64_t n = number(name);
        if (n < 0 || n > std::numeric_limits<unsigned>::max()) fail(name, "out of range");
        return static_cast<unsigned>(n);
    }

    bool flag(const std::string& name) {
        if (!has(name)) return false;
        const json& j = member(name);
        if (!j.is_boolean()) fail(name, "neither true nor false");
        return j.get<bool>();
    }

    std::string text(const std::string& name) {
        const json& j = member(name);
        if (!j.is_string()) fail(name, "not a text");
        return j.get<std::string>();
    }

    std::string bytes(const std::string& name) {
        if (has(name)) return text(name);
        if (!has(name + "_base64")) fail(name, "missing");
        auto decoded = wire::from_base64(text(name + "_base64"));
        if (!decoded) fail(name + "_base64", "not base64");
        return *std::move(decoded);
    }

    template <class T, std::size_t N>
    T word(const std::string& name, const words<T, N>& all) {
        const std::string w = text(name);
        std::string known;
        for (const auto& [value, its_name] : all) {
            if (w == its_name) return value;
            known += (known.empty() ? "" : ", ") + std::string(its_name);
        }
        fail(name, "none of " + known);
    }
    template <class T, std::size_t N>
    T word_or(T otherwise, const std::string& name, const words<T, N>& all) { return has(name) ? word(name, all) : otherwise; }

    object inner(const std::string& name) { return {member(name), path(name)}; }

    template <class Read>
    void each(const std::string& name, Read read) {
        const json& j = member(name);
        if (!j.is_array()) fail(name, "not a list");
        for (std::size_t i = 0; i < j.size(); ++i) {
            object one(j[i], path(name) + "[" + std::to_string(i) + "]");
            read(one);
            one.done();
        }
    }

    /// The name of its only member.
    std::string only() const {
        if (json_.size() != 1) fail("", "has to have one member");
        return json_.begin().key();
    }

    void done() const {
        for (const auto& [name, value] : json_.items())
            if (!asked_.contains(name)) fail(name, "unknown");
    }

    [[noreturn]] void fail(const std::string& name, const std::string& why) const {
        const std::string where = name.empty() ? path_ : path(name);
        throw std::runtime_error(where.empty() ? why : where + ": " + why);
    }

private:
    std::string path(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }
    const json& member(const std::string& name) {
        const auto m = json_.find(name);
        if (m == json_.end()) fail(name, "missing");
        asked_.insert(name);
        return *m;
    }

    const json& json_;
    std::string path_;
    std::set<std::string, std::less<>> asked_;
};

key_range range_of(object& o) {
    std::string key = o.bytes("key");
    if (!o.has_bytes("range_end")) return key_range::key(std::move(key));
    return key_range::raw(std::move(key), o.bytes("range_end"));
}

key_value key_value_of(object& o) {
    key_value kv;
    kv.key = o.bytes("key");
    if (o.has_bytes("value")) kv.value = o.bytes("value");
    kv.create_revision = o.number_or_zero("create_revision");
    kv.mod_revision = o.number_or_zero("mod_revision");
    kv.version = o.number_or_zero("version");
    kv.lease = o.number_or_zero("lease");
    return kv;
}

key_value inner_key_value(object& o, const char* name) {
    object inner = o.inner(name);
    key_value kv = key_value_of(inner);
    inner.done();
    return kv;
}

std::vector<key_value> key_values(object& o, const char* name) {
    std::vector<key_value> all;
    if (o.has(name)) o.each(name, [&](object& one) { all.push_back(key_value_of(one)); });
    return all;
}

event event_of(object& o) {
    event e;
    e.type = o.word("type", event_kinds);
    e.kv = key_value_of(o);
    if (o.has("prev_kv")) e.prev_kv = inner_key_value(o, "prev_kv");
    return e;
}

op op_of(object& o);

comparison comparison_of(object& o) {
    comparison c;
    c.key = o.bytes("key");
    if (o.has_bytes("range_end")) c.range_end = o.bytes("range_end");
    c.what = o.word("what", targets);
    c.is = o.word("is", relations);
    if (c.what == comparison::target::value) c.bytes = o.bytes("value");
    else c.number = o.number("number");
    return c;
}

range_options options_of(object& a) {
    range_options r;
    r.limit = a.number_or_zero("limit");
    r.revision = a.number_or_zero("revision");
    r.order = a.word_or(sort_order::none, "order", orders);
    r.target = a.word_or(sort_target::key, "target", sort_targets);
    if (a.flag("serializable")) r.read = consistency::serializable;
    r.keys_only = a.flag("keys_only");
    r.count_only = a.flag("count_only");
    r.min_mod_revision = a.number_or_zero("min_mod_revision");
    r.max_mod_revision = a.number_or_zero("max_mod_revision");
    r.min_create_revision = a.number_or_zero("min_create_revision");
    r.max_create_revision = a.number_or_zero("max_create_revision");
    return r;
}

txn txn_of(object& a) {
    txn t;
    if (a.has("if")) a.each("if", [&](object& one) { t.if_(comparison_of(one)); });
    if (a.has("then")) a.each("then", [&](object& one) { t.then(op_of(one)); });
    if (a.has("else")) a.each("else", [&](object& one) { t.else_(op_of(one)); });
    return t;
}

op op_of(object& o) {
    const std::string kind = o.only();
    object a = o.inner(kind);
    const auto read = [&]() -> op {
        if (kind == "range") {
            key_range r = range_of(a);
            return op::range(std::move(r), options_of(a));
        }
        if (kind == "put") {
            std::string key = a.bytes("key");
            std::string value = a.bytes("value");
            return op::put(std::move(key), std::move(value),
                {a.number_or_zero("lease"), a.flag("prev_kv"), a.flag("ignore_value"), a.flag("ignore_lease")});
        }
        if (kind == "delete_range") {
            key_range r = range_of(a);
            return op::delete_range(std::move(r), {.prev_kv = a.flag("prev_kv")});
        }
        if (kind == "txn") return op::txn(txn_of(a));
        o.fail(kind, "none of range, put, delete_range, txn");
    };
    op call = read();
    a.done();
    return call;
}

op_response answer_of(object& o) {
    const std::string kind = o.only();
    object a = o.inner(kind);
    const auto with_header = [&](auto r) {
        r.header.revision = a.number("revision");
        return r;
    };
    op_response answer;
    if (kind == "range") {
        auto r = with_header(range_response());
        r.kvs = key_values(a, "kvs");
        r.count = a.number("count");
        r.more = a.flag("more");
        answer = std::move(r);
    } else if (kind == "put") {
        auto r = with_header(put_response());
        if (a.has("prev_kv")) r.prev_kv = inner_key_value(a, "prev_kv");
        answer = std::move(r);
    } else if (kind == "delete_range") {
        auto r = with_header(delete_response());
        r.deleted = a.number("deleted");
        r.prev_kvs = key_values(a, "prev_kvs");
        answer = std::move(r);
    } else if (kind == "txn") {
        auto r = with_header(txn_response());
        r.succeeded = a.flag("succeeded");
        if (a.has("responses")) a.each("responses", [&](object& one) { r.responses.push_back(answer_of(one)); });
        answer = std::move(r);
    } else {
        o.fail(kind, "none of range, put, delete_range, txn");
    }
    a.done();
    return answer;
}

class reader {
public:
    explicit reader(history& h) : history_(h) {}

    void read(object& o) {
        const std::string type = o.text("type");
        const auto found = lines_.find(type);
        if (found == lines_.end()) o.fail("type", "no type of a line");
        (this->*found->second)(o);
        o.done();
    }

private:
    void start(object& o) {
        history_.start = state(o);
        history_.foreign_writers = o.flag("foreign_writers");
    }
    void end(object& o) {
        history_.end = state(o);
        history_.ended = o.moment("at");
    }
    void compaction(object& o) { history_.compactions.push_back({o.moment("called"), o.number("revision")}); }
    void lull(object& o) { history_.lulls.push_back({o.moment("at"), o.number("revision")}); }
    void call(object& o) {
        object what = o.inner("what");
        operation c{o.small_number("client"), op_of(what)};
        c.called = o.moment("called");
        c.state = o.word("state", states);
        if (c.state != write_state::unknown) c.returned = o.moment("returned");
        if (o.has("answer")) {
            object answer = o.inner("answer");
            c.answer = answer_of(answer);
        }
        c.guard = o.number_or_zero("guard");
        if (c.state == write_state::executed && !c.answer) o.fail("answer", "missing");
        if (c.answer && c.answer->index() != c.what.what().index()) o.fail("answer", "of another kind than the call");
        history_.operations.push_back(std::move(c));
    }
    void lease(object& o) {
        lease_operation l;
        l.client = o.small_number("client");
        l.what = o.word("what", lease_kinds);
        l.id = o.number("id");
        l.called = o.moment("called");
        l.state = o.word("state", states);
        if (l.state != write_state::unknown) l.returned = o.moment("returned");
        l.ttl = o.number_or_zero("ttl");
        history_.leases.push_back(l);
    }
    void held(object& o) {
        holding h;
        h.client = o.small_number("client");
        h.name = o.bytes("name");
        h.key = o.bytes("key");
        h.token = o.number("token");
        h.from = o.moment("from");
        if (o.has("until")) h.until = o.moment("until");
        history_.holdings.push_back(std::move(h));
    }
    void watcher(object& o) {
        observer w;
        w.name = o.text("name");
        w.what = o.word("what", observer_kinds);
        o.each("ranges", [&](object& one) { w.ranges.push_back(range_of(one)); });
        w.prev_kv = o.flag("prev_kv");
        w.no_put = o.flag("no_put");
        w.no_delete = o.flag("no_delete");
        if (!observers_.emplace(w.name, history_.observers.size()).second) o.fail("name", "an observer of that name was there before");
        history_.observers.push_back(std::move(w));
    }
    void saw(object& o) {
        const auto who = observers_.find(o.text("observer"));
        if (who == observers_.end()) o.fail("observer", "no such observer came before");
        sight s;
        s.what = o.word("what", sight_kinds);
        s.at = o.moment("at");
        s.revision = o.number_or_zero("revision");
        if (o.has("events")) o.each("events", [&](object& one) { s.events.push_back(event_of(one)); });
        s.content = key_values(o, "content");
        if (s.what == sight::kind::ended) s.end = o.word_or(ending::left, "why", endings);
        else s.why = o.word_or(mirror_step::reason::none, "why", reasons);
        history_.observers[who->second].seen.push_back(std::move(s));
    }
    static known_state state(object& o) { return {o.number("revision"), key_values(o, "kvs")}; }

    inline static const std::map<std::string, void (reader::*)(object&)> lines_{{"start", &reader::start}, {"call", &reader::call},
        {"lease", &reader::lease}, {"compaction", &reader::compaction}, {"lull", &reader::lull},
        {"holding", &reader::held}, {"observer", &reader::watcher}, {"sight", &reader::saw}, {"end", &reader::end}};

    history& history_;
    std::map<std::string, std::size_t> observers_;
};

}  // namespace

history read_history(std::istream& in) {
    history h;
    reader lines(h);
    std::size_t number = 0;
    for (std::string text; std::getline(in, text);) {
        ++number;
        if (text.empty()) continue;
        try {
            if (wire::deeper_than(text, deepest)) throw std::runtime_error("nested too deep");
            const json line = json::parse(text, nullptr, false);
            if (line.is_discarded()) throw std::runtime_error("no JSON");
            object o(line, "");
            lines.read(o);
        } catch (const std::exception& e) {
            throw std::runtime_error("line " + std::to_string(number) + ": " + e.what());
        }
    }
    if (in.bad()) throw std::runtime_error("cannot be read");
    return h;
}

}  // namespace dynconf::testing
