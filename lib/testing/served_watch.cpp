#include "testing/served_watch.hpp"

#include "testing/json_in.hpp"
#include "testing/refusal.hpp"
#include "wire/server_errors.hpp"

#include <array>

namespace dynconf::testing {
namespace {

constexpr std::int64_t invalid_id = -1;
constexpr std::size_t revisions_in_a_batch = 1000;
constexpr std::string_view no_end("\0", 1);
constexpr std::array<std::string_view, 2> filter_names = {"NOPUT", "NODELETE"};
constexpr std::array<std::string_view, 3> request_names = {"create_request", "cancel_request", "progress_request"};

bool covers(std::string_view key, std::string_view range_end, std::string_view k) {
    if (range_end.empty()) return k == key;
    return k >= key && (range_end == no_end || k < range_end);
}

// As a Go program prints the error of a call.
std::string go_words(const refusal& why) {
    return "rpc error: code = " + std::string(wire::grpc_name(why.status())) + " desc = " + why.words();
}

}  // namespace

served_watch::served_watch(std::shared_ptr<member> m, bool require_leader, std::optional<time_point> deadline, time_point now)
    : member_(std::move(m)), require_leader_(require_leader), deadline_(deadline),
      next_progress_(now + member_->options.progress_notify_interval) {}

template <class F>
void served_watch::say(revision_t revision, std::int64_t id, F&& rest) {
    json_out out(member_->profile, true);
    out.open();
    out.open("result");
    member_->header(out, revision);
    out.number("watch_id", id);
    rest(out);
    out.close();
    out.close();
    lines_.push_back(out.take());
}

void served_watch::take_request(const boost::json::object& message, const std::optional<identity>& who,
    const std::optional<refusal>& bad_token) {
    const json_in in(message, member_->profile);
    switch (in.one_of(request_names)) {
        case 0: in.inner("create_request", [&](const json_in& c) { create(c, who, bad_token); }); break;
        case 1:
            in.inner("cancel_request", [&](const json_in& c) {
                const std::int64_t id = c.number("watch_id");
                if (watchers_.erase(id) != 0) say(member_->applied(), id, [](json_out& out) { out.flag("canceled", true); });
            });
            break;
        case 2:
            // The older servers answer this at once, ahead of the history that they have not sent yet.
            if (member_->profile.since(25, 8, 0)) wants_progress_ = true;
            else if (!member_->progress_frozen) say_progress(invalid_id, member_->applied());
            break;
        default: break;
    }
}

void served_watch::create(const json_in& in, const std::optional<identity>& who, const std::optional<refusal>& bad_token) {
    watcher w;
    w.key = in.bytes("key");
    if (w.key.empty()) w.key = no_end;
    w.range_end = in.bytes("range_end");
    const revision_t start = in.number("start_revision");
    w.progress_notify = w.tell_progress = in.flag("progress_notify");
    w.prev_kv = in.flag("prev_kv");
    w.fragment = in.flag("fragment");
    for (const std::int32_t filter : in.choices("filters", filter_names)) (filter == 0 ? w.no_put : w.no_delete) = true;
    std::int64_t id = in.number("watch_id");

    const revision_t newest = member_->applied();
    const auto refuse = [&](const std::string& reason) {
        say(newest, invalid_id, [&](json_out& out) {
            out.flag("created", true);
            out.flag("canceled", true);
            out.text("cancel_reason", reason);
        });
    };
    try {
        if (bad_token) throw *bad_token;
        member_->cluster->auth().check_range(who, w.key, w.range_end);
    } catch (const refusal& why) {
        return refuse(go_words(why));
    }
    if (!w.range_end.empty() && w.range_end != no_end && w.range_end <= w.key) return refuse("mvcc: watcher range is empty");
    if (id != 0 && watchers_.contains(id)) return refuse("mvcc: duplicate watch ID provided on the WatchStream");
    if (id == 0) {
        while (watchers_.contains(next_id_)) ++next_id_;
        id = next_id_++;
    }
    w.synced = start == 0 || start > newest;
    w.next = start > 0 ? start : newest + 1;
    watchers_.emplace(id, std::move(w));
    say(newest, id, [](json_out& out) { out.flag("created", true); });
}

std::vector<const change*> served_watch::matching(const watcher& w, revision_t revision) const {
    std::vector<const change*> found;
    for (const change& c : member_->store().changes(revision))
        if (!(c.erased() ? w.no_delete : w.no_put) && covers(w.key, w.range_end, c.kv->key)) found.push_back(&c);
    return found;
}

void served_watch::look() {
    if (ended_) return;
    for (auto it = watchers_.begin(); it != watchers_.end() && !ended_;)
        it = catch_up(it->first, it->second) ? std::next(it) : watchers_.erase(it);
    if (wants_progress_ && !ended_ && !watchers_.empty()) {
        wants_progress_ = false;
        if (!member_->progress_frozen) say_progress(invalid_id, member_->applied());
    }
}

// False when its watch is over.
bool served_watch::catch_up(std::int64_t id, watcher& w) {
    const revision_t newest = member_->applied();
    const revision_t compacted = member_->store().compact_revision();
    if (w.next > newest) return true;
    if (w.next < compacted) {
        say(0, id, [&](json_out& out) {
            out.flag("canceled", true);
            out.number("compact_revision", compacted);
        });
        return false;
    }
    std::vector<const change*> batch;
    std::size_t revisions = 0;
    for (; w.next <= newest && !ended_; ++w.next) {
        const auto found = matching(w, w.next);
        if (found.empty()) continue;
        if (w.synced) {
            tell(id, w, found, w.next);
            continue;
        }
        if (++revisions > revisions_in_a_batch) {
            tell(id, w, batch, newest);
            batch.clear();
            revisions = 1;
        }
        batch.insert(batch.end(), found.begin(), found.end());
    }
    if (!batch.empty()) tell(id, w, batch, newest);
    w.synced = true;
    return true;
}

void served_watch::tell(std::int64_t id, watcher& w, const std::vector<const change*>& changes, revision_t revision) {
    int times = 1;
    if (const auto f = member_->faults.on_events("/v3/watch")) {
        if (const auto* e = std::get_if<fault::end_stream>(&*f)) return end(e->why);
        times = std::holds_alternative<fault::drop_events>(*f) ? 0 : 2;
    }
    w.tell_progress = false;
    for (; times > 0; --times) {
        std::span<const change* const> rest(changes);
        const std::size_t most = member_->options.max_request_bytes + 512 * 1024;
        while (w.fragment && !rest.empty()) {
            std::size_t size = 64, n = 0;
            while (n < rest.size() && (size += proto_size(*rest[n], w.prev_kv) + 4, n == 0 || size < most)) ++n;
            if (n == rest.size()) break;
            send(id, w, rest.first(n), revision, true);
            rest = rest.subspan(n);
        }
        send(id, w, rest, revision, false);
    }
}

void served_watch::send(std::int64_t id, const watcher& w, std::span<const change* const> changes, revision_t revision, bool more) {
    say(revision, id, [&](json_out& out) {
        out.flag("fragment", more);
        out.open_list("events");
        for (const change* c : changes) {
            out.open();
            if (c->erased()) out.text("type", "DELETE");
            out.open("kv");
            print(out, *c->kv);
            out.close();
            if (w.prev_kv && c->before && member_->store().has_previous(c->kv->mod_revision)) {
                out.open("prev_kv");
                print(out, *c->before);
                out.close();
            }
            out.close();
        }
        out.close_list();
    });
}

void served_watch::say_progress(std::int64_t id, revision_t revision) { say(revision, id, [](json_out&) {}); }

void served_watch::advance(time_point now) {
    if (ended_) return;
    if (deadline_ && now >= *deadline_) return end(refusal(grpc_errc::deadline_exceeded, "context deadline exceeded"));
    if (now < next_progress_) return;
    const auto interval = member_->options.progress_notify_interval;
    next_progress_ += interval * ((now - next_progress_) / interval + 1);
    for (auto& [id, w] : watchers_) {
        if (!w.progress_notify) continue;
        if (w.tell_progress && !member_->progress_frozen) say_progress(id, member_->applied());
        w.tell_progress = true;
    }
}

std::optional<time_point> served_watch::next_due() const {
    if (ended_) return std::nullopt;
    std::optional<time_point> due = deadline_;
    for (const auto& [id, w] : watchers_)
        if (w.progress_notify) return due ? std::min(*due, next_progress_) : next_progress_;
    return due;
}

void served_watch::leader_lost() {
    if (require_leader_) end(refusal(server_errc::no_leader));
}

void served_watch::end(std::optional<refusal> why) {
    if (ended_) return;
    ended_ = true;
    if (why) lines_.push_back(stream_error(member_->profile, *why));
}

std::vector<std::string> served_watch::take(time_point) { return std::exchange(lines_, {}); }

}  // namespace dynconf::testing
