#include "testing/answers.hpp"
#include "testing/evidence.hpp"
#include "testing/timeline.hpp"
#include "testing/words.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace dynconf::testing {
namespace {

constexpr std::size_t most_stale = 10;

/// Calls whose answers name the same revision.
struct at_revision {
    std::optional<std::size_t> writer;   // has made it
    std::vector<std::size_t> readers;
    std::vector<std::size_t> unclear;    // one or the other: what they did was not recorded
    std::size_t first_back = 0;          // the first to return of those at this revision and later
};

class search {
public:
    search(const history& h, const check_options& options, evidence::belief observers)
        : history_(h), options_(options), seen_(h, observers), tell_(h), now_(h.start), used_(h.operations.size()) {
        sort_calls();
        check_real_time();
        pin();
    }

    timeline run();

private:
    enum class settled : std::uint8_t { done, dead, gap };
    struct choice {   // who makes a revision that no answered call has made
        revision_t before;
        std::vector<cause> candidates;
        std::size_t next = 0;
        std::optional<cause> taken;
    };

    void sort_calls();
    void check_real_time();
    void pin();
    settled settle();
    bool reads_right(std::size_t i);
    bool writes_right(std::size_t i);
    bool end_is_right();
    std::vector<cause> candidates() const;
    bool in_time(time_point called, revision_t r) const;
    bool take(const cause& c);
    void mark(const cause& c, bool used);
    void back_to(revision_t r);
    bool is_new();
    void dead(const std::string& words, std::vector<std::size_t> calls);
    void nobody();
    std::vector<std::size_t> behind(std::size_t i, const op_response& true_one) const;
    void add_writers(const op_response& answer, std::vector<std::size_t>& to) const;
    void check_serializable(timeline& t);
    void broken(std::string words, std::vector<std::size_t> calls) {
        broken_.push_back({rule::linearizable, std::move(words), std::move(calls)});
    }

    const history& history_;
    const check_options& options_;
    evidence seen_;
    storyteller tell_;
    kv_model now_;
    std::vector<cause> causes_;
    std::map<revision_t, at_revision> by_revision_;
    std::map<std::size_t, std::optional<revision_t>> unknown_;   // and the revision at which it was seen, if any
    std::map<lease_id, time_point> leases_;                      // since when they may end
    std::vector<char> used_;
    std::set<lease_id> ended_;
    std::uint64_t used_mark_ = 0;
    std::vector<choice> choices_;
    std::unordered_set<std::uint64_t> visited_;
    std::size_t tried_ = 0;
    std::vector<violation> broken_;

    // The farthest that any try came.
    revision_t farthest_ = -1;
    std::string why_;
    std::vector<std::size_t> who_;
    std::vector<cause> how_;
};

bool has_lease(const op& call, std::set<lease_id>& to) {
    if (const auto* p = std::get_if<op::put_op>(&call.what()); p && p->options.lease != 0) to.insert(p->options.lease);
    if (const auto* t = std::get_if<op::txn_op>(&call.what())) {
        for (const op& o : t->what->success()) has_lease(o, to);
        for (const op& o : t->what->failure()) has_lease(o, to);
    }
    return !to.empty();
}

bool only_reads(const op& call) {
    if (const auto* t = std::get_if<op::txn_op>(&call.what())) return t->what->read_only();
    return std::holds_alternative<op::range_op>(call.what());
}

void search::sort_calls() {
    for (std::size_t i = 0; i < history_.operations.size(); ++i) {
        const operation& o = history_.operations[i];
        std::set<lease_id> leases;
        if (has_lease(o.what, leases))
            for (const lease_id l : leases)
                if (const auto [at, fresh] = leases_.emplace(l, o.called); !fresh) at->second = std::min(at->second, o.called);
        if (o.state == write_state::not_executed || (o.state == write_state::executed && is_serializable(o.what))) continue;
        if (o.state == write_state::unknown || !o.answer) {
            if (!only_reads(o.what)) unknown_.emplace(i, std::nullopt);
            continue;
        }
        const revision_t r = revision_of(*o.answer);
        if (r < history_.start.revision) {
            broken("an answer from before the beginning:" + tell_.operations({i}), {i});
            continue;
        }
        const wrote w = has_written(o.what, *o.answer);
        if (w == wrote::yes && r == history_.start.revision) {
            broken("a write with the revision of the beginning:" + tell_.operations({i}), {i});
            continue;
        }
        at_revision& here = by_revision_[r];
        if (w == wrote::no) {
            here.readers.push_back(i);
        } else if (w == wrote::unclear) {
            here.unclear.push_back(i);
        } else if (here.writer) {
            const std::vector<std::size_t> both{*here.writer, i};
            broken("two writes with the same revision:" + tell_.operations(both), both);
        } else {
            here.writer = i;
        }
    }
    std::optional<std::size_t> first_back;
    for (auto r = by_revision_.rbegin(); r != by_revision_.rend(); ++r) {
        const auto consider = [&](std::size_t i) {
            if (!first_back || history_.operations[i].returned < history_.operations[*first_back].returned) first_back = i;
        };
        if (r->second.writer) consider(*r->second.writer);
        for (const std::size_t i : r->second.readers) consider(i);
        for (const std::size_t i : r->second.unclear) consider(i);
        r->second.first_back = *first_back;
    }
}

/// The revisions of the answers put them in order already: nobody may have been told of a later one before.
void search::check_real_time() {
    std::vector<std::pair<std::size_t, std::size_t>> found;
    for (auto r = by_revision_.begin(); r != by_revision_.end(); ++r) {
        const auto check = [&](std::size_t i, auto later) {
            if (later == by_revision_.end()) return;
            const std::size_t other = later->second.first_back;
            if (history_.operations[other].returned < history_.operations[i].called) found.emplace_back(i, other);
        };
        if (r->second.writer) check(*r->second.writer, r);
        for (const std::size_t i : r->second.readers) check(i, std::next(r));
        for (const std::size_t i : r->second.unclear) check(i, std::next(r));
    }
    std::sort(found.begin(), found.end(), [&](const auto& a, const auto& b) {
        return history_.operations[a.first].returned < history_.operations[b.first].returned;
    });
    if (found.size() > most_stale) found.resize(most_stale);
    for (const auto& [late, other] : found)
        broken("call " + std::to_string(late) + " was answered from a past that was over when it was called, by call "
                + std::to_string(other) + ":" + tell_.operations({late, other}), {other, late});
}

/// A value that only one call of unknown outcome has written says at which revision it was executed.
void search::pin() {
    std::map<std::pair<std::string, std::string>, std::set<std::size_t>> writers;
    std::set<std::string> ambiguous;   // ignore_value writes what is there
    const auto collect = [&](const auto& self, std::size_t i, const op& call) -> void {
        if (const auto* p = std::get_if<op::put_op>(&call.what())) {
            if (p->options.ignore_value) ambiguous.insert(p->key);
            else writers[{p->key, p->value}].insert(i);
        } else if (const auto* t = std::get_if<op::txn_op>(&call.what())) {
            for (const op& o : t->what->success()) self(self, i, o);
            for (const op& o : t->what->failure()) self(self, i, o);
        }
    };
    for (std::size_t i = 0; i < history_.operations.size(); ++i) collect(collect, i, history_.operations[i].what);
    for (const auto& [revision, changes] : seen_.all())
        for (const auto& [key, e] : changes) {
            if (e.type != event::kind::put || ambiguous.contains(key)) continue;
            const auto w = writers.find({key, e.kv.value});
            if (w == writers.end() || w->second.size() != 1) continue;
            const auto u = unknown_.find(*w->second.begin());
            if (u != unknown_.end() && !u->second) u->second = revision;
        }
    for (const lease_operation& l : history_.leases) {
        const auto [at, fresh] = leases_.emplace(l.id, l.called);
        if (!fresh) at->second = std::min(at->second, l.called);
    }
}

void search::dead(const std::string& words, std::vector<std::size_t> calls) {
    if (now_.revision() <= farthest_) return;
    farthest_ = now_.revision();
    why_ = words;
    who_ = std::move(calls);
    how_.clear();
    for (const choice& c : choices_)
        if (c.taken) how_.push_back(*c.taken);
}

void search::add_writers(const op_response& answer, std::vector<std::size_t>& to) const {
    const auto add = [&](const key_value& kv) {
        if (kv.mod_revision > now_.first_revision() && kv.mod_revision <= now_.revision()) {
            const cause& c = causes_[static_cast<std::size_t>(kv.mod_revision - now_.first_revision() - 1)];
            if (c.what == cause::kind::operation) to.push_back(c.operation);
        } else if (const auto b = by_revision_.find(kv.mod_revision); b != by_revision_.end() && b->second.writer) {
            to.push_back(*b->second.writer);
        }
    };
    if (const auto* r = std::get_if<range_response>(&answer)) for (const key_value& kv : r->kvs) add(kv);
    if (const auto* p = std::get_if<put_response>(&answer); p && p->prev_kv) add(*p->prev_kv);
    if (const auto* d = std::get_if<delete_response>(&answer)) for (const key_value& kv : d->prev_kvs) add(kv);
    if (const auto* t = std::get_if<txn_response>(&answer)) for (const op_response& r : t->responses) add_writers(r, to);
}

/// The call itself, and those that wrote what it read and what it should have read.
std::vector<std::size_t> search::behind(std::size_t i, const op_response& true_one) const {
    std::vector<std::size_t> calls;
    add_writers(true_one, calls);
    add_writers(*history_.operations[i].answer, calls);
    std::erase(calls, i);
    if (calls.size() > 8) calls.erase(calls.begin(), calls.end() - 8);
    calls.push_back(i);
    return calls;
}

bool search::reads_right(std::size_t i) {
    const operation& o = history_.operations[i];
    ++tried_;
    const auto step = now_.execute(o.what);
    if (step.changed) now_.undo();
    std::string d = step.refused ? "etcd would have refused it" : difference(o.what, *o.answer, step.answer);
    if (d.empty() && !step.changed) return true;
    if (d.empty()) d = "it would have made a revision of its own";
    dead("call " + std::to_string(i) + ": " + d, behind(i, step.answer));
    return false;
}

bool search::writes_right(std::size_t i) {
    const operation& o = history_.operations[i];
    ++tried_;
    const auto step = now_.execute(o.what);
    std::string d = step.refused ? "etcd would have refused it" : difference(o.what, *o.answer, step.answer);
    if (d.empty() && step.changed) {
        causes_.push_back({cause::kind::operation, i, 0});
        return true;
    }
    if (step.changed) now_.undo();
    if (d.empty()) d = "it would have changed nothing";
    dead("call " + std::to_string(i) + ": " + d, behind(i, step.answer));
    return false;
}

bool search::end_is_right() {
    std::vector<key_value> is;
    for (const key_value& kv : history_.end->kvs)
        if (!history_.foreign_writers || now_.knows(kv.key)) is.push_back(kv);
    std::sort(is.begin(), is.end(), [](const key_value& a, const key_value& b) { return a.key < b.key; });
    std::vector<key_value> ought;
    for (const key_value* kv : now_.content(key_range::all(), now_.revision())) ought.push_back(*kv);
    if (std::equal(is.begin(), is.end(), ought.begin(), ought.end(), same)) return true;
    const auto before = [](const auto& x, const auto& y) { return std::pair(x.key, x.mod_revision) < std::pair(y.key, y.mod_revision); };
    range_response a, b;
    std::set_difference(is.begin(), is.end(), ought.begin(), ought.end(), std::back_inserter(a.kvs), before);
    std::set_difference(ought.begin(), ought.end(), is.begin(), is.end(), std::back_inserter(b.kvs), before);
    const std::string words = "the content at the end: it has " + shown(a.kvs) + " instead of " + shown(b.kvs);
    std::vector<std::size_t> calls;
    add_writers(op_response(std::move(a)), calls);
    add_writers(op_response(std::move(b)), calls);
    dead(words, std::move(calls));
    return false;
}

/// Executes what leaves no choice.
search::settled search::settle() {
    for (;;) {
        const revision_t at = now_.revision();
        if (const auto here = by_revision_.find(at); here != by_revision_.end()) {
            for (const std::size_t i : here->second.readers)
                if (!reads_right(i)) return settled::dead;
            for (const std::size_t i : here->second.unclear)
                if (!used_[i] && !reads_right(i)) return settled::dead;
        }
        if (history_.end && history_.end->revision == at && !end_is_right()) return settled::dead;
        if (at >= seen_.last()) return settled::done;
        const auto next = by_revision_.find(at + 1);
        if (next == by_revision_.end() || !next->second.writer) return settled::gap;
        if (!writes_right(*next->second.writer)) return settled::dead;
    }
}

bool search::in_time(time_point called, revision_t r) const {
    const auto told = seen_.told(r);
    return !told || called <= *told;
}

std::vector<cause> search::candidates() const {
    const revision_t r = now_.revision() + 1;
    std::vector<cause> all;
    if (const auto here = by_revision_.find(r); here != by_revision_.end())
        for (const std::size_t i : here->second.unclear) all.push_back({cause::kind::operation, i, 0});
    std::vector<std::size_t> open;
    for (const auto& [i, pinned] : unknown_) {
        if (used_[i] || !in_time(history_.operations[i].called, r)) continue;
        if (pinned == r) return {{cause::kind::operation, i, 0}};
        if (!pinned) open.push_back(i);
    }
    // What is executed late is rare.
    std::sort(open.begin(), open.end(), [&](std::size_t a, std::size_t b) {
        return history_.operations[a].called > history_.operations[b].called;
    });
    for (const std::size_t i : open) all.push_back({cause::kind::operation, i, 0});
    for (const auto& [id, since] : leases_)
        if (!ended_.contains(id) && in_time(since, r)) all.push_back({cause::kind::lease_end, 0, id});
    if (history_.foreign_writers && !seen_.of(r)) all.insert(all.begin(), cause{});
    return all;
}

bool search::take(const cause& c) {
    ++tried_;
    bool changed = false;
    if (c.what == cause::kind::others) {
        now_.pass();
        changed = true;
    } else if (c.what == cause::kind::lease_end) {
        changed = now_.end_lease(c.lease);
    } else {
        const operation& o = history_.operations[c.operation];
        const auto step = now_.execute(o.what);
        changed = step.changed;
        if (changed && o.state == write_state::executed && !difference(o.what, *o.answer, step.answer).empty()) {
            now_.undo();
            return false;
        }
    }
    if (!changed) return false;
    const std::vector<event>& made = now_.changes(now_.revision());
    if (!seen_.agrees(now_.revision(), made)) {
        now_.undo();
        return false;
    }
    if (const auto* known = seen_.of(now_.revision()))
        for (const auto& [key, e] : *known) {
            const auto m = std::find_if(made.begin(), made.end(), [&](const event& x) { return x.kv.key == key; });
            if (m == made.end() || m->type != e.type || (e.type == event::kind::put && !same(e.kv, m->kv))) {
                now_.undo();
                return false;
            }
        }
    causes_.push_back(c);
    return true;
}

void search::mark(const cause& c, bool used) {
    std::uint64_t id = 0;
    if (c.what == cause::kind::operation) {
        used_[c.operation] = used;
        id = 2 * c.operation + 2;
    } else if (c.what == cause::kind::lease_end) {
        if (used) ended_.insert(c.lease);
        else ended_.erase(c.lease);
        id = 2 * static_cast<std::uint64_t>(c.lease) + 1;
    }
    // splitmix64: equal sets have equal sums, others hardly ever.
    id += 0x9e3779b97f4a7c15u;
    id = (id ^ (id >> 30)) * 0xbf58476d1ce4e5b9u;
    id = (id ^ (id >> 27)) * 0x94d049bb133111ebu;
    if (c.what != cause::kind::others) used_mark_ ^= id ^ (id >> 31);
}

void search::back_to(revision_t r) {
    while (now_.revision() > r) {
        now_.undo();
        causes_.pop_back();
    }
}

bool search::is_new() {
    std::uint64_t state = now_.fingerprint() + 0x9e3779b97f4a7c15u * static_cast<std::uint64_t>(now_.revision());
    state = (state ^ (state >> 31)) * 0xd6e8feb86659fd93u;
    return visited_.insert(state ^ used_mark_).second;
}

/// Of a revision that has no explanation: who else has to do with what was seen of it.
void search::nobody() {
    if (now_.revision() <= farthest_) return;
    const revision_t r = now_.revision() + 1;
    std::string words = "revision " + std::to_string(r);
    std::vector<std::size_t> calls;
    if (const auto* known = seen_.of(r)) {
        std::vector<event> events;
        for (const auto& [key, e] : *known) events.push_back(e);
        words += " (" + shown(events) + ")";
        const auto writes = [&](const auto& self, const op& call) -> bool {
            if (const auto* p = std::get_if<op::put_op>(&call.what()))
                return std::any_of(events.begin(), events.end(), [&](const event& e) { return e.kv.key == p->key && e.kv.value == p->value; });
            const auto* t = std::get_if<op::txn_op>(&call.what());
            const auto inside = [&](const op& o) { return self(self, o); };
            return t && (std::any_of(t->what->success().begin(), t->what->success().end(), inside)
                || std::any_of(t->what->failure().begin(), t->what->failure().end(), inside));
        };
        for (std::size_t i = 0; i < history_.operations.size() && calls.size() < 8; ++i)
            if (writes(writes, history_.operations[i].what)) calls.push_back(i);
    }
    words += " was made by no call that could have made it";
    for (const std::size_t i : calls) {
        const operation& o = history_.operations[i];
        if (o.state == write_state::not_executed) words += "; call " + std::to_string(i) + " was said not to be executed";
        else if (o.state == write_state::executed) words += "; call " + std::to_string(i) + " had made another one: a write was executed twice";
        else if (used_[i]) words += "; call " + std::to_string(i) + " has explained an earlier one: a write was executed twice";
        else if (!in_time(o.called, r)) words += "; call " + std::to_string(i) + " was made later than what tells of it";
        else words += "; call " + std::to_string(i) + " would have changed something else";
    }
    dead(words, std::move(calls));
}

timeline search::run() {
    settled s = settle();
    bool undecided = false;
    while (s != settled::done) {
        if (tried_ > options_.search_limit) {
            undecided = true;
            break;
        }
        if (s == settled::gap && is_new()) {
            choices_.push_back({now_.revision(), candidates(), 0, std::nullopt});
        } else if (choices_.empty()) {
            break;
        }
        choice& c = choices_.back();
        back_to(c.before);
        if (c.taken) mark(*c.taken, false);
        c.taken.reset();
        while (c.next < c.candidates.size() && !c.taken)
            if (const cause& one = c.candidates[c.next++]; take(one)) c.taken = one;
        if (c.taken) {
            mark(*c.taken, true);
            s = settle();
        } else {
            if (c.next == c.candidates.size()) nobody();
            choices_.pop_back();
            s = settled::dead;
            if (choices_.empty()) break;
        }
    }
    if (s != settled::done) {
        // Goes there again, so that the rest of the rules has as much as can be had.
        if (!choices_.empty()) {
            for (const choice& c : choices_)
                if (c.taken) mark(*c.taken, false);
            choices_.clear();
        }
        back_to(now_.first_revision());
        std::size_t next = 0;
        for (s = settle(); s == settled::gap && next < how_.size(); s = settle()) {
            const cause c = how_[next++];
            if (!take(c)) break;
            mark(c, true);
        }
        broken("no order of the calls explains the answers"
            + (undecided ? " that was found within " + std::to_string(options_.search_limit) + " tries" : std::string())
            + ". All is well up to revision " + std::to_string(farthest_) + ", then " + why_ + ":" + tell_.operations(who_), who_);
    }
    timeline t{std::move(now_), std::move(causes_), {}};
    t.broken = std::move(broken_);
    if (s == settled::done) check_serializable(t);
    return t;
}

/// A serializable read is of any past, though not of the future.
void search::check_serializable(timeline& t) {
    for (std::size_t i = 0; i < history_.operations.size(); ++i) {
        const operation& o = history_.operations[i];
        if (o.state != write_state::executed || !o.answer || !is_serializable(o.what)) continue;
        const revision_t r = revision_of(*o.answer);
        const auto tell = [&](const std::string& what, std::vector<std::size_t> calls) {
            t.broken.push_back({rule::linearizable, "call " + std::to_string(i) + ": " + what + ":" + tell_.operations(calls), calls});
        };
        if (!t.reaches(r)) {
            tell("a revision that never was", {i});
            continue;
        }
        if (r > t.model.first_revision() && t.of(r).what == cause::kind::operation
            && history_.operations[t.of(r).operation].called > o.returned)
            tell("read from the future", {t.of(r).operation, i});
        const auto ought = t.model.read(o.what, r);
        const std::string d = ought ? difference(o.what, *o.answer, *ought) : "etcd would have refused it";
        if (!d.empty()) tell("never was the content of revision " + std::to_string(r) + ": " + d, {i});
    }
}

}  // namespace

timeline explain(const history& h, const check_options& options, evidence::belief observers) {
    return search(h, options, observers).run();
}

}  // namespace dynconf::testing
