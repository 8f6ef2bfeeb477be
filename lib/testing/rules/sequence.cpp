#include "testing/rules/rules.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <string>

namespace dynconf::testing {
namespace {

/// One observer's way through the revisions.
class sequence {
public:
    sequence(const judged& run, const observer& who, findings& found) : run_(run), who_(who), found_(found) {}

    void follow();

private:
    void rest(const lull& l);
    void begin(const sight& s);
    void snapshot(const sight& s);
    void batch(const sight& s);
    void arrive(const sight& s, revision_t r, std::span<const event> events);
    void out_of_place(const sight& s, revision_t r, std::span<const event> events);
    void bookmark(const sight& s);
    bool had(revision_t r, std::span<const event> events) const;
    void check_whole(const sight& s, revision_t r, std::span<const event> events);
    void pass(revision_t upto, rule broken, const std::string& when);
    void tell(rule broken, const sight& s, const std::string& words, revision_t of) {
        found_.add(broken, who_.name + " at " + run_.tell.moment(s.at) + ": " + words + maker_in_words(run_, of), maker(run_, of));
    }
    static std::string name(revision_t r) { return "revision " + std::to_string(r); }

    const judged& run_;
    const observer& who_;
    findings& found_;
    std::size_t first_ = 0;                   // sight of this stretch
    std::optional<revision_t> start_;         // what it asked for
    std::optional<revision_t> position_;      // everything up to it is over
    std::optional<revision_t> bookmark_;
    std::optional<revision_t> snapshot_;
    revision_t torn_ = 0;                     // the last one told of
    revision_t last_ = 0;                     // the last one with events
    bool began_ = false;
    bool anew_ = false;                       // nothing has come since it began again
    bool ended_ = false;
};

void sequence::follow() {
    auto next = run_.past.lulls.begin();
    for (std::size_t i = 0; i < who_.seen.size(); ++i) {
        const sight& s = who_.seen[i];
        for (; next != run_.past.lulls.end() && next->at < s.at; ++next) rest(*next);
        switch (s.what) {
            case sight::kind::started:
                first_ = i;
                begin(s);
                break;
            case sight::kind::snapshot: snapshot(s); break;
            case sight::kind::batch: batch(s); break;
            case sight::kind::bookmark: bookmark(s); break;
            case sight::kind::resync:
                first_ = i + 1;
                position_ = s.revision;
                anew_ = false;
                break;
            case sight::kind::ended: ended_ = true; break;
            default: break;
        }
    }
    for (; next != run_.past.lulls.end(); ++next) rest(*next);
    if (run_.past.end && !ended_ && position_ && who_.what != observer::kind::snapshots)
        pass(run_.past.end->revision, rule::complete, "by the end");
}

/// By then it has seen all.
void sequence::rest(const lull& l) {
    if (ended_ || !position_ || who_.what == observer::kind::snapshots || l.revision <= *position_) return;
    pass(l.revision, rule::complete, "by " + run_.tell.moment(l.at) + ", while all was still");
}

void sequence::begin(const sight& s) {
    anew_ = began_;
    began_ = true;
    ended_ = false;
    start_ = bookmark_ = std::nullopt;
    if (s.revision == 0) {
        position_.reset();
        return;
    }
    start_ = s.revision;
    if (anew_ && position_ && s.revision - 1 > *position_)
        pass(s.revision - 1, rule::resumable, "and is not asked for any more at " + run_.tell.moment(s.at));
    position_ = s.revision - 1;
    if (who_.what == observer::kind::mirror) snapshot_ = position_;
}

void sequence::snapshot(const sight& s) {
    if (who_.what == observer::kind::snapshots) {
        if (position_ && s.revision < *position_)
            tell(rule::ordered, s, "the content of " + name(s.revision) + " after that of " + name(*position_), 0);
        else if (position_ && s.revision == *position_)
            tell(rule::unique, s, "the content of " + name(s.revision) + " again", 0);
    } else if (snapshot_) {
        tell(rule::unique, s, "a second snapshot", 0);
    }
    snapshot_ = position_ = s.revision;
    anew_ = false;
}

void sequence::batch(const sight& s) {
    if (who_.what == observer::kind::mirror && !snapshot_) tell(rule::ordered, s, "changes before the snapshot", 0);
    for (auto e = s.events.begin(); e != s.events.end();) {
        const revision_t r = e->kv.mod_revision;
        const auto end = std::find_if(e, s.events.end(), [r](const event& x) { return x.kv.mod_revision != r; });
        arrive(s, r, {e, end});
        e = end;
    }
    if (!s.events.empty() && s.revision != s.events.back().kv.mod_revision)
        tell(rule::ordered, s, "a batch up to " + name(s.revision) + " ends with " + name(s.events.back().kv.mod_revision), 0);
}

void sequence::arrive(const sight& s, revision_t r, std::span<const event> events) {
    for (std::size_t i = 0; i < events.size(); ++i)
        for (std::size_t k = 0; k < i; ++k)
            if (events[i].kv.key == events[k].kv.key)
                tell(rule::unique, s, name(r) + ": " + shown(events[i].kv.key) + " twice", r);
    if (position_ && r <= *position_) return out_of_place(s, r, events);
    if (position_) pass(r - 1, anew_ ? rule::resumable : rule::complete, "before " + name(r) + " at " + run_.tell.moment(s.at));
    anew_ = false;
    check_whole(s, r, events);
    position_ = last_ = r;
}

void sequence::out_of_place(const sight& s, revision_t r, std::span<const event> events) {
    if (start_ && r < *start_)
        tell(rule::resumable, s, name(r) + ", though it began with " + name(*start_), r);
    else if (had(r, events))
        tell(rule::unique, s, name(r) + " (" + shown(std::vector<event>(events.begin(), events.end())) + ") again", r);
    else if (bookmark_ && r <= *bookmark_)
        tell(rule::bookmark, s, name(r) + " after the bookmark " + std::to_string(*bookmark_), r);
    else if (r == last_) {
        if (torn_ != r) tell(rule::atomic, s, "more of " + name(r) + ", which came before", r);
    } else {
        tell(rule::ordered, s, name(r) + " after " + name(*position_), r);
    }
}

/// Whether this stretch has had one of these events before; looked for only when something is wrong.
bool sequence::had(revision_t r, std::span<const event> events) const {
    for (std::size_t i = first_; i < who_.seen.size() && who_.seen[i].what != sight::kind::ended; ++i)
        for (const event& e : who_.seen[i].events) {
            if (&e == &events.front()) return false;
            if (e.kv.mod_revision == r
                && std::any_of(events.begin(), events.end(), [&](const event& x) { return x.kv.key == e.kv.key; }))
                return true;
        }
    return false;
}

void sequence::check_whole(const sight& s, revision_t r, std::span<const event> events) {
    if (!run_.happened.reaches(r) || r == run_.happened.model.first_revision()) return;
    std::vector<event> missing;
    for (const event* e : wanted(who_, run_.happened.model.changes(r)))
        if (std::none_of(events.begin(), events.end(), [&](const event& x) { return x.kv.key == e->kv.key; }))
            missing.push_back(*e);
    if (missing.empty()) return;
    torn_ = r;
    tell(rule::atomic, s, name(r) + " is not whole: " + shown(missing) + (missing.size() == 1 ? " is missing" : " are missing"), r);
}

void sequence::bookmark(const sight& s) {
    if (bookmark_ && s.revision < *bookmark_)
        tell(rule::bookmark, s, "bookmark " + std::to_string(s.revision) + " after bookmark " + std::to_string(*bookmark_), 0);
    const bool known = run_.happened.broken.empty() && !run_.past.foreign_writers;
    if ((known && s.revision > run_.happened.last()) || beyond_the_end(run_, s.revision))
        tell(rule::bookmark, s, "bookmark " + std::to_string(s.revision) + ", a revision that never was", 0);
    else if (const auto m = maker(run_, s.revision); !m.empty() && run_.past.operations[m.front()].called > s.at)
        tell(rule::bookmark, s, "bookmark " + std::to_string(s.revision) + ", a revision that was yet to come", s.revision);
    bookmark_ = std::max(bookmark_.value_or(0), s.revision);
    if (position_ && s.revision > *position_)
        pass(s.revision, rule::bookmark, "before bookmark " + std::to_string(s.revision) + " at " + run_.tell.moment(s.at));
    position_ = std::max(position_.value_or(0), s.revision);
}

/// It goes on behind `upto`: what it ought to have seen before?
void sequence::pass(revision_t upto, rule broken, const std::string& when) {
    const timeline& t = run_.happened;
    const revision_t had = std::max(*position_, t.model.first_revision()), last = std::min(upto, t.last());
    for (revision_t r = had + 1; r <= last; ++r) {
        const auto missing = owed(run_, who_, r, had, last);
        if (missing.empty()) continue;
        std::vector<event> events;
        for (const event* e : missing) events.push_back(*e);
        found_.add(broken, who_.name + ": " + name(r) + " (" + shown(events) + ") has not come " + when + maker_in_words(run_, r), maker(run_, r));
    }
}

}  // namespace

void check_sequence(const judged& run, findings& found) {
    for (const observer& o : run.past.observers) sequence(run, o, found).follow();
}

}  // namespace dynconf::testing
