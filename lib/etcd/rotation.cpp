#include <dynconf/rotation.hpp>

#include "etcd/kv_calls.hpp"
#include "etcd/sealer.hpp"
#include "etcd/start_call.hpp"
#include "policy/rotation_plan.hpp"
#include "policy/stored_value.hpp"

#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <utility>

namespace dynconf {

namespace asio = boost::asio;
using etcd::view;
using policy::rotation_plan;

namespace {

constexpr std::size_t largest_batch = 64;   // each item is a transaction within one: etcd counts both levels, up to 128

/// One rotation; on the core's strand.
class turning {
public:
    turning(view through, key_ring ring, key_provider ask, key_range range, rotation_options options, rotation_progress progress)
        : through_(std::move(through)), keys_(asked_by(through_, std::move(ring), std::move(ask))), with_(keys_->none_yet()),
          options_(std::move(options)), progress_(std::move(progress)), plan_(std::move(range), bounds_of(options_), [this](const std::string& key, const std::string& value) {
              return look(key, value);
          }) {}
    turning(const turning&) = delete;
    turning& operator=(const turning&) = delete;

    asio::awaitable<result<rotation_report>> run() {
        if (options_.batch == 0 || options_.batch > largest_batch)
            co_return error{errc::invalid_argument, "rotation_options::batch is not from 1 to 64"};
        for (;;) {
            rotation_plan::step step = plan_.next();
            if (std::holds_alternative<rotation_plan::finished>(step)) co_return plan_.report();
            error failed;
            if (const auto* l = std::get_if<rotation_plan::list>(&step)) failed = co_await list(*l);
            else if (const auto* r = std::get_if<rotation_plan::read>(&step)) failed = co_await read(*r);
            else failed = co_await write(std::get<rotation_plan::write>(step));
            if (failed.code) co_return failed;
            if (progress_) progress_(plan_.report());
        }
    }

private:
    using clock = view::clock;

    static policy::rotation_bounds bounds_of(const rotation_options& options) {
        policy::rotation_bounds bounds;
        bounds.dry_run = options.dry_run;
        bounds.batch = options.batch;
        return bounds;
    }

    static std::shared_ptr<etcd::sealer> asked_by(const view& through, key_ring ring, key_provider ask) {
        sealing_options how;
        how.provider = std::move(ask);
        return std::make_shared<etcd::sealer>(through.core().executor(), std::move(ring), std::move(how));
    }

    policy::stored_look look(const std::string& key, const std::string& value) const {
        policy::stored_look seen = policy::look_at(with_.keys(), options_, through_.keys().to_etcd(key), value);
        if (seen.why == errc::unknown_key_id) seen.why = with_.why_without(seen.name).value_or(std::move(seen.why));
        return seen;
    }

    static void note(std::set<std::string>& ids, const key_value& kv) {
        if (const auto id = sealed_with(kv.value)) ids.emplace(*id);
    }

    /// Before the plan looks at values: the keys that they need. False when it was cancelled meanwhile.
    asio::awaitable<bool> have(std::set<std::string> ids) {
        with_ = keys_->none_yet();
        keys_->want(with_, ids);
        co_return co_await keys_->at_hand(with_, clock::time_point::max());
    }
    static error cancelled() { return {asio::error::operation_aborted, "rotation"}; }

    asio::awaitable<error> list(const rotation_plan::list& what) {
        auto page = co_await etcd::range_once(through_, what.keys, what.options);
        if (!page) co_return page.error();
        std::set<std::string> ids;
        for (const key_value& kv : page->kvs) note(ids, kv);
        if (!co_await have(std::move(ids))) co_return cancelled();
        plan_.listed(*page);
        co_return error{};
    }

    asio::awaitable<error> read(const rotation_plan::read& what) {
        txn reads;
        for (const std::string& key : what.keys) reads.then(op::range(key_range::key(key)));
        auto answer = co_await etcd::commit(through_, std::move(reads), {.name = "rotation"});
        if (!answer) co_return answer.error();
        std::set<std::string> ids;
        std::vector<std::optional<key_value>> now;
        for (std::size_t i = 0; i < what.keys.size(); ++i) {
            auto* found = etcd::answer_to<range_response>(*answer, i);
            if (!found) co_return etcd::unfit_answer("a rotation's read", false);
            auto& item = now.emplace_back();
            if (found->kvs.empty()) continue;
            item = std::move(found->kvs.front());
            note(ids, *item);
        }
        if (!co_await have(std::move(ids))) co_return cancelled();
        plan_.was_read(now);
        co_return error{};
    }

    /// Each item is a transaction of its own within one: whether it is written depends on its own key alone. It may be repeated,
    /// since what was executed once is told as changed the second time.
    asio::awaitable<error> write(const rotation_plan::write& what) {
        const auto began = clock::now();
        txn writes;
        for (const rotation_plan::rewrite& item : what.items) {
            put_options keep;
            keep.ignore_lease = true;
            txn one;
            one.if_(mod_revision_of(item.key) == item.seen);
            one.then(op::put(item.key, item.value, keep));
            one.else_(op::range(key_range::key(item.key)));
            writes.then(op::txn(std::move(one)));
        }
        auto answer = co_await etcd::commit(through_, std::move(writes), {.name = "rotation", .how = policy::safety::repeatable});
        if (!answer) {
            const error why = answer.error();
            if (why.code != server_errc::request_too_large && why.code != grpc_errc::resource_exhausted) co_return why;
            plan_.too_large(why);
            co_return error{};
        }
        std::set<std::string> ids;
        std::vector<rotation_plan::fate> fates;
        for (std::size_t i = 0; i < what.items.size(); ++i) {
            auto* one = etcd::answer_to<txn_response>(*answer, i);
            if (!one || one->responses.size() != 1) co_return etcd::unfit_answer("a rotation's write", true);
            rotation_plan::fate& fate = fates.emplace_back();
            fate.written = one->succeeded;
            if (fate.written) continue;
            auto* found = etcd::answer_to<range_response>(*one, 0);
            if (!found) co_return etcd::unfit_answer("a rotation's write", true);
            if (found->kvs.empty()) continue;
            fate.now = std::move(found->kvs.front());
            note(ids, *fate.now);
        }
        if (!co_await have(std::move(ids))) co_return cancelled();
        plan_.wrote(answer->header.revision, fates);
        if (options_.per_second > 0) {
            const auto share = std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(
                static_cast<double>(what.items.size()) / static_cast<double>(options_.per_second)));
            const auto pause = std::chrono::ceil<std::chrono::milliseconds>(began + share - clock::now());
            if (pause.count() > 0 && !co_await through_.core().sleep(pause)) co_return error{asio::error::operation_aborted, {}};
        }
        co_return error{};
    }

    const view through_;
    const std::shared_ptr<etcd::sealer> keys_;
    policy::wanted_keys with_;   // what the values read last are opened with
    const rotation_options options_;
    const rotation_progress progress_;
    rotation_plan plan_;
};

}  // namespace

rotation::rotation(const client& c, key_ring keys, key_provider ask) : facet(c), keys_(std::move(keys)), ask_(std::move(ask)) {
    origin_.sealer.reset();   // it has to see etcd's own bytes
}

void rotation::start_run(origin from, key_ring keys, key_provider ask, key_range range, rotation_options options, rotation_progress progress,
                         detail::erased_handler<rotation_report> h) {
    auto body = [keys = std::move(keys), ask = std::move(ask), range = std::move(range), options = std::move(options),
                 progress = std::move(progress)](const view& through) mutable -> asio::awaitable<result<rotation_report>> {
        turning all(through, std::move(keys), std::move(ask), std::move(range), std::move(options), std::move(progress));
        co_return co_await all.run();
    };
    etcd::start_waiting<rotation_report>(from, etcd::cancels::total, std::move(h), std::move(body));
}

}  // namespace dynconf
