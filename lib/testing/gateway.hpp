#pragma once

#include "testing/gateway_words.hpp"
#include "testing/member.hpp"
#include "testing/served_watch.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace dynconf::testing {

/// The JSON gateway of one member of an etcd that has no processes, threads or clock: requests come as values, and so does
/// time. Several of them on one `cluster` are one etcd. It is told of time by handle() and advance() only. Streams may
/// outlive it. No thread safety.
class gateway final : private testing::cluster::listener {
public:
    /// The member `id` of `c`; 0: the first.
    gateway(const std::shared_ptr<testing::cluster>& c, std::uint64_t id, gateway_options options = {});
    /// The only member of a cluster of its own, which is of that version too.
    explicit gateway(const gateway_options& options = {});
    ~gateway();
    gateway(const gateway&) = delete;
    gateway& operator=(const gateway&) = delete;

    /// Executes it, and whatever was due before `now`.
    std::variant<reply, std::unique_ptr<stream>> handle(const request& r, time_point now);
    /// When advance() is to be called next: a lease or a token ends, a watch tells its progress.
    std::optional<time_point> next_due() const;
    void advance(time_point now);
    /// Called when streams may have lines to take, from within handle(), advance() and what changes the cluster.
    std::function<void()> on_change;

    testing::cluster& cluster() noexcept { return *member_->cluster; }
    std::shared_ptr<testing::cluster> shared_cluster() const noexcept { return member_->cluster; }
    std::uint64_t id() const noexcept { return member_->id; }
    const server_profile& profile() const noexcept { return member_->profile; }
    testing::faults& faults() noexcept { return member_->faults; }

    /// Cut off from the other members: it learns nothing more, what needs a leader is refused, watches that ask for one end.
    void isolate();
    void reconnect();
    /// It applies nothing more: serializable reads and watches stay where they are, what has to be current times out.
    void hold_back() noexcept { if (!member_->held) member_->held = member_->store().revision(); }
    void catch_up();
    void freeze_progress(bool frozen) noexcept { member_->progress_frozen = frozen; }
    /// As a process that was started anew: it knows no simple tokens, which are in memory only.
    void forget_tokens() noexcept { if (member_->options.tokens == token_kind::simple) tokens_.clear(); }
    /// Ends all streams, with an error of that status and words or in mid-air.
    void end_streams(std::optional<refusal> why = {});

    std::size_t open_watches() const noexcept { return watches_->size(); }

private:
    struct call;
    using handler = void (gateway::*)(call&);
    struct route { std::string_view path; handler handle; bool is_stream; };
    enum class needs { nothing, leader, commit };   // from the other members
    struct token { identity who; std::uint64_t epoch; time_point ends; };
    // The streams are the clients'; they leave this when they go.
    using watches = std::vector<served_watch*>;
    class handed_out;
    class delayed;

    void on_commit() override;
    void on_token(const std::string& text, const identity& who, time_point now) override;
    void on_leader_lost() override;
    void on_replaced() override;
    void on_renamed(std::uint64_t was, std::uint64_t is) override;

    static const route* find_route(std::string_view path);
    static reply::writer refuses(const route* to);
    using answer = std::variant<reply, std::unique_ptr<stream>>;
    answer dispatch(const request& r, time_point now);
    answer serve(const route& to, const request& r, time_point now);
    answer watch(const request& r, time_point now);
    reply error_reply(const refusal& why, reply::writer by = reply::writer::server) const;
    reply text_reply(unsigned status, std::string body) const;
    reply not_a_call(const request& r, std::string_view path) const;
    void tell_streams();

    // What every call goes through, in etcd's order: is it for this member at all, and, when its message is right, whose
    // is it, and can the member do it.
    void admit(const call& c, bool for_learners = false) const;
    void admit(const request& r, bool for_learners = false) const;
    void enter(call& c, needs what);
    std::optional<identity> identify(const request& r, time_point now);
    void require_any_user(const call& c) const;
    void require_maintainer(const call& c) const;

    // gateway_kv.cpp
    void range(call&), put(call&), delete_range(call&), txn(call&), compaction(call&);
    void check_txn(const call& c, const txn_request& t) const;
    void make_room(std::size_t bytes);
    void check_size(std::size_t bytes) const;
    void check_message(std::size_t bytes) const;
    // gateway_lease.cpp
    void lease_grant(call&), lease_revoke(call&), lease_time_to_live(call&), lease_leases(call&), lease_keep_alive(call&);
    void check_lease_keys(const call& c, lease_id id) const;
    // gateway_auth.cpp
    void auth_enable(call&), auth_disable(call&), auth_status(call&), authenticate(call&);
    void user_add(call&), user_get(call&), user_list(call&), user_delete(call&), user_change_password(call&);
    void user_grant(call&), user_revoke(call&);
    void role_add(call&), role_get(call&), role_list(call&), role_delete(call&), role_grant(call&), role_revoke(call&);
    template <class F> void administer(call& c, F&& change);
    // gateway_cluster.cpp
    void member_list(call&), member_add(call&), member_remove(call&), member_update(call&), member_promote(call&);
    void print_members(json_out& out) const;
    void status(call&), alarms(call&), defragment(call&), hash(call&), hash_kv(call&), move_leader(call&), downgrade(call&);
    void snapshot(call&);

    std::shared_ptr<member> member_;
    std::map<std::string, token, std::less<>> tokens_;
    std::shared_ptr<watches> watches_ = std::make_shared<watches>();
    std::multiset<time_point> wakeups_;   // when answers that are held back are ready
    needs did_ = needs::nothing;   // the call that is being served
};

}  // namespace dynconf::testing
