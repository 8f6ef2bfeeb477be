#include "etcd/sealer.hpp"

#include "transport/deadline.hpp"
#include "wire/overloaded.hpp"
#include "wire/requests.hpp"

#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <stdexcept>

namespace dynconf::etcd {

values::values(std::vector<event>& events) {
    for (event& e : events) {
        if (e.type == event::kind::put) all_.push_back({&e.kv, true});
        if (e.prev_kv) all_.push_back({&*e.prev_kv, false});
    }
}

void values::add(range_response& answer, const range_options& asked) {
    if (asked.keys_only || asked.count_only) return;
    for (key_value& kv : answer.kvs) all_.push_back({&kv, true});
}

void values::add(put_response& answer) {
    if (answer.prev_kv) all_.push_back({&*answer.prev_kv, false});
}

void values::add(delete_response& answer) {
    for (key_value& kv : answer.prev_kvs) all_.push_back({&kv, false});
}

void values::add(txn_response& answer, const txn& asked) {
    const auto& branch = answer.succeeded ? asked.success() : asked.failure();
    for (std::size_t i = 0; i < std::min(branch.size(), answer.responses.size()); ++i) {
        const auto* range = std::get_if<op::range_op>(&branch[i].what());
        const auto* inner = std::get_if<op::txn_op>(&branch[i].what());
        std::visit(wire::overloaded{
            [&](range_response& r) { if (range) add(r, range->options); },
            [&](txn_response& r) { if (inner) add(r, *inner->what); },
            [&](auto& r) { add(r); },
        }, static_cast<std::variant<range_response, put_response, delete_response, txn_response>&>(answer.responses[i]));
    }
}

std::set<std::string> values::key_ids() const {
    std::set<std::string> ids;
    for (const item& i : all_)
        if (const auto id = sealed_with(i.kv->value)) ids.emplace(*id);
    return ids;
}

sealer::sealer(const strand& on, key_ring keys, sealing_options options)
    : strand_(on), keys_(std::move(keys)), options_(std::move(options)), provided_(options_.max_provided_keys), news_(on) {
    if (options_.key_timeout <= std::chrono::milliseconds(0)) throw std::invalid_argument("dynconf: sealing_options::key_timeout must be positive");
    if (options_.max_provided_keys == 0) throw std::invalid_argument("dynconf: sealing_options::max_provided_keys must be positive");
}

// The provider

void sealer::want(policy::wanted_keys& keys, const std::set<std::string>& ids) {
    if (!options_.provider) return;
    for (const std::string& id : ids) {
        if (!keys.is_new(id)) continue;
        if (const auto known = provided_.find(id, clock::now())) keys.on_answer(id, *known);
        else keys.ask_for(id);
    }
}

asio::awaitable<bool> sealer::at_hand(policy::wanted_keys& keys, clock::time_point due) {
    struct among_those_who_wait {
        among_those_who_wait(policy::key_questions& all, policy::wanted_keys& one) : questions(all), keys(one) { questions.join(keys); }
        among_those_who_wait(const among_those_who_wait&) = delete;
        among_those_who_wait& operator=(const among_those_who_wait&) = delete;
        ~among_those_who_wait() { questions.leave(keys); }
        policy::key_questions& questions;
        policy::wanted_keys& keys;
    };
    const among_those_who_wait here(questions_, keys);
    for (;;) {
        if (keys.complete()) co_return true;
        if (clock::now() >= due || co_await transport::was_cancelled()) co_return false;
        while (const auto id = questions_.next()) ask(*id);
        if (!keys.complete()) co_await news_.wait(due);
    }
}

void sealer::ask(const std::string& id) {
    const auto signal = std::make_shared<asio::cancellation_signal>();
    const auto self = shared_from_this();
    // A provider that does not heed the signal is left to itself; a key that it gives in the end still counts.
    const auto limit = std::make_shared<transport::deadline>(strand_, [self, signal, id] {
        self->questions_.ended(id);
        self->answered(id, self->provided_.on_failure(id, "no answer within " + std::to_string(self->options_.key_timeout.count()) + " ms", clock::now()));
        signal->emit(asio::cancellation_type::terminal);
    });
    limit->expires_after(options_.key_timeout);
    auto run = [self, id]() -> asio::awaitable<std::optional<sealing_key>> {
        const std::shared_ptr<sealer> keep = self;
        const std::string wanted = id;
        co_return co_await keep->options_.provider(wanted);
    };
    auto done = [self, id, limit, signal](const std::exception_ptr& thrown, std::optional<sealing_key> key) {
        const bool late = limit->expired();
        limit->disarm();
        if (!late) self->questions_.ended(id);
        if (key) self->answered(id, self->provided_.on_key(id, std::move(*key)));
        else if (late) return;
        else if (thrown) self->answered(id, self->provided_.on_failure(id, to_error(thrown).message(), clock::now()));
        else self->answered(id, self->provided_.on_absent(id, clock::now()));
    };
    asio::co_spawn(strand_, std::move(run), asio::bind_cancellation_slot(signal->slot(), std::move(done)));
}

void sealer::answered(const std::string& id, const result<sealing_key>& what) {
    questions_.on_answer(id, what);
    news_.notify_all();
}

// Values

void sealer::open(client_core& core, const values& what, const policy::wanted_keys& with) {
    for (const values::item& item : what.all()) {
        key_value& kv = *item.kv;
        auto value = with.keys().open(kv.key, kv.value);
        if (value) {
            kv.value = std::move(*value);
            continue;
        }
        error why = value.error();
        if (why.code == errc::not_sealed && options_.unsealed != unsealed_policy::refuse) {
            if (item.newest && options_.unsealed == unsealed_policy::migrate) migrate(core, kv);
            continue;
        }
        if (const auto id = sealed_with(kv.value)) why = with.why_without(std::string(*id)).value_or(std::move(why));
        kv.value.clear();
        kv.unreadable = why.code;
        const std::string words = why.message();
        core.log(log_level::warning, "value_unreadable", words, {{"key", kv.key}, {"cause", words}, {"revision", std::to_string(kv.mod_revision)}});
    }
}

asio::awaitable<bool> sealer::open(client_core& core, values what, clock::time_point due) {
    if (what.all().empty()) co_return true;
    policy::wanted_keys keys = none_yet();
    want(keys, what.key_ids());
    const bool complete = co_await at_hand(keys, due);
    open(core, what, keys);
    if (complete) co_return true;
    co_return !co_await transport::was_cancelled();
}

// Migration

void sealer::migrate(client_core& core, const key_value& kv) {
    if (clear_.size() >= most_waiting || !clear_keys_.insert(kv.key).second) return;
    clear_.push_back(kv);
    if (clear_.size() > 1) return;
    auto run = [self = shared_from_this(), c = core.shared_from_this()]() -> asio::awaitable<void> {
        const std::shared_ptr<sealer> keep = self;
        co_await keep->migrate_all(c);
    };
    asio::co_spawn(strand_, std::move(run), asio::detached);
}

asio::awaitable<void> sealer::migrate_all(std::shared_ptr<client_core> core) {
    while (!clear_.empty()) {
        const key_value& kv = clear_.front();
        put_options with_lease;
        with_lease.ignore_lease = true;
        const txn what = txn()
            .if_(mod_revision_of(kv.key) == kv.mod_revision)
            .then(op::put(kv.key, keys_.seal(kv.key, kv.value), with_lease));
        const std::string body = wire::txn_request(what);
        call request;
        request.name = "migrate";
        request.path = "/v3/kv/txn";
        request.background = true;
        auto done = co_await core->unary<txn_response>(request, body);
        if (!done) {
            const std::string words = done.error().message();
            core->log(log_level::warning, "not_migrated", words, {{"key", kv.key}, {"cause", words}});
        }
        clear_keys_.erase(kv.key);
        clear_.pop_front();
    }
}

}  // namespace dynconf::etcd
