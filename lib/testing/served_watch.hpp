#pragma once

#include "testing/member.hpp"

#include <boost/json/object.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dynconf::testing {

/// The answer to one POST /v3/watch: all watches of its body. It knows at once what it has to say, and keeps it until it
/// is taken.
class served_watch final : public stream {
public:
    served_watch(std::shared_ptr<member> m, bool require_leader, std::optional<time_point> deadline, time_point now);

    /// One message of the body. Refused permissions are an answer, not a failure.
    void take_request(const boost::json::object& message, const std::optional<identity>& who, const std::optional<refusal>& bad_token);
    void look();                       ///< The store may have more.
    void advance(time_point now);
    std::optional<time_point> next_due() const;
    void leader_lost();
    void end(std::optional<refusal> why);

    bool has_lines() const noexcept { return !lines_.empty() || ended_; }
    std::vector<std::string> take(time_point now) override;
    bool ended() const override { return ended_ && lines_.empty(); }

private:
    struct watcher {
        std::string key, range_end;
        revision_t next = 0;           // the first revision that it was not told of
        bool synced = true;            // it was at the newest revision once: each further one is a message of its own
        bool progress_notify = false, tell_progress = false;
        bool prev_kv = false, fragment = false, no_put = false, no_delete = false;
    };

    void create(const class json_in& in, const std::optional<identity>& who, const std::optional<refusal>& bad_token);
    bool catch_up(std::int64_t id, watcher& w);
    std::vector<const change*> matching(const watcher& w, revision_t revision) const;
    void tell(std::int64_t id, watcher& w, const std::vector<const change*>& changes, revision_t revision);
    void send(std::int64_t id, const watcher& w, std::span<const change* const> changes, revision_t revision, bool more);
    void say_progress(std::int64_t id, revision_t revision);
    template <class F> void say(revision_t revision, std::int64_t id, F&& rest);

    std::shared_ptr<member> member_;
    std::map<std::int64_t, watcher> watchers_;
    std::int64_t next_id_ = 0;
    std::vector<std::string> lines_;
    bool ended_ = false;
    bool require_leader_;
    bool wants_progress_ = false;
    std::optional<time_point> deadline_;
    time_point next_progress_;
};

}  // namespace dynconf::testing
