#include "etcd/sealer.hpp"

#include "transport/deadline.hpp"
#include "wire/overloaded.hpp"
#include "wire/quote.hpp"
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

asio::awaitable<sealer::opener> sealer::at_hand(std::set<std::string> ids, clock::time_point due) {
    opener out{keys_, {}, true};
    std::erase_if(ids, [this](const std::string& id) { return keys_.has(id); });
    if (!options_.provider || ids.empty()) co_return out;
    for (;;) {
        std::erase_if(ids, [&](const std::string& id) {
            auto known = provided_.find(id, clock::now());
            if (!known) return false;
            if (*known) out.keys = out.keys.reading(id, std::move(**known));
            else out.missing.emplace(id, known->error());
            return true;
        });
        if (ids.empty()) co_return out;
        if (clock::now() >= due || co_await transport::was_cancelled()) break;
        for (const std::string& id : ids) ask(id);
        co_await news_.wait(due);
    }
    out.complete = false;
    for (const std::string& id : ids) out.missing.emplace(id, error{errc::key_unavailable, wire::quote(id) + ": no time left to ask the provider"});
    co_return out;
}

void sealer::ask(const std::string& id) {
    if (!asked_.insert(id).second) return;
    const auto signal = std::make_shared<asio::cancellation_signal>();
    const auto self = shared_from_this();
    // A provider that does not heed the signal is left to itself; an answer of it still counts.
    const auto limit = std::make_shared<transport::deadline>(strand_, [self, signal, id] {
        self->provided_.on_failure(id, "no answer within " + std::to_string(self->options_.key_timeout.count()) + " ms", clock::now());
        self->asked_.erase(id);
        self->news_.notify_all();
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
        if (!late || key) self->answered(id, thrown, std::move(key));
    };
    asio::co_spawn(strand_, std::move(run), asio::bind_cancellation_slot(signal->slot(), std::move(done)));
}

void sealer::answered(const std::string& id, const std::exception_ptr& thrown, std::optional<sealing_key> key) {
    asked_.erase(id);
    if (key) provided_.on_key(id, std::move(*key));
    else if (thrown) provided_.on_failure(id, to_error(thrown).message(), clock::now());
    else provided_.on_absent(id, clock::now());
    news_.notify_all();
}

// Values

void sealer::open(client_core& core, const values& what, const opener& with) {
    for (const values::item& item : what.all()) {
        key_value& kv = *item.kv;
        auto value = with.keys.open(kv.key, kv.value);
        if (value) {
            kv.value = std::move(*value);
            continue;
        }
        error why = value.error();
        if (why.code == errc::not_sealed && options_.unsealed != unsealed_policy::refuse) {
            if (item.newest && options_.unsealed == unsealed_policy::migrate) migrate(core, kv);
            continue;
        }
        if (const auto id = sealed_with(kv.value))
            if (const auto at = with.missing.find(std::string(*id)); at != with.missing.end()) why = at->second;
        kv.value.clear();
        kv.unreadable = why.code;
        const std::string words = why.message();
        core.log(log_level::warning, "value_unreadable", words, {{"key", kv.key}, {"cause", words}, {"revision", std::to_string(kv.mod_revision)}});
    }
}

asio::awaitable<bool> sealer::open(client_core& core, values what, clock::time_point due) {
    if (what.all().empty()) co_return true;
    const opener with = co_await at_hand(what.key_ids(), due);
    open(core, what, with);
    if (with.complete) co_return true;
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
