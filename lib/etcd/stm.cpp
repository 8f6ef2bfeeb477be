#include <dynconf/stm.hpp>

#include <utility>

namespace dynconf {

namespace asio = boost::asio;

asio::awaitable<std::optional<std::string>> stm_view::get(std::string key) {
    if (const auto own = written_.find(key); own != written_.end()) co_return own->second.value;
    auto known = read_.find(key);
    if (known == read_.end()) {
        const key_range wanted = key_range::key(key);
        range_options at;
        at.revision = revision_;
        range_response found = co_await store_.range(wanted, at);
        if (revision_ == 0) revision_ = found.header.revision;
        std::optional<key_value> content;
        if (!found.kvs.empty()) content = std::move(found.kvs.front());
        if (content && content->unreadable) throw exception(error{content->unreadable, std::move(key)});
        known = read_.emplace(std::move(key), std::move(content)).first;
    }
    if (!known->second) co_return std::nullopt;
    co_return known->second->value;
}

void stm_view::put(std::string key, std::string value, put_options options) { written_[std::move(key)] = {std::move(value), options}; }
void stm_view::erase(std::string key) { written_[std::move(key)] = {std::nullopt, {}}; }

txn stm_view::transaction() const {
    txn what;
    for (const auto& [key, content] : read_) what.if_(mod_revision_of(key) == (content ? content->mod_revision : 0));
    for (const auto& [key, w] : written_) {
        const auto known = read_.find(key);
        if (revision_ != 0 && known == read_.end()) what.if_(mod_revision_of(key) < revision_ + 1);
        put_options how = w.options;
        if (known != read_.end() && known->second && how.lease == 0) how.ignore_lease = true;   // it exists, as is compared
        what.then(w.value ? op::put(key, *w.value, how) : op::delete_range(key_range::key(key)));
    }
    return what;
}

namespace {

/// The revision that the body went by; none: others were in its way.
asio::awaitable<std::optional<revision_t>> try_once(kv store, const stm_body& body) {
    stm_view view(store);
    co_await body(view);
    txn what = view.transaction();
    if (what.compares().empty() && what.success().empty()) co_return 0;
    txn_response answer = co_await store.commit(std::move(what));
    if (!answer.succeeded) co_return std::nullopt;
    co_return answer.header.revision;
}

}  // namespace

asio::awaitable<revision_t> stm(client etcd, stm_body body, stm_options options) {
    kv store(etcd);
    if (options.timeout.count() > 0) store = store.with_timeout(options.timeout);
    for (unsigned tries = 0; tries < options.max_tries; ++tries) {
        try {
            const std::optional<revision_t> done = co_await try_once(store, body);
            if (done) co_return *done;
        } catch (const exception& e) {
            // The revision of its reads was compacted while it ran: others were faster by far.
            if (e.code() != server_errc::compacted) throw;
        }
    }
    throw exception(error{errc::contended, "stm"});
}

}  // namespace dynconf
