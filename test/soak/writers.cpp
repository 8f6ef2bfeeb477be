#include "soak/writers.hpp"

#include "support/etcd_admin.hpp"

#include <chrono>
#include <exception>
#include <iterator>
#include <set>
#include <utility>

namespace dynconf::test {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

namespace {

constexpr int keys_each = 12;
constexpr unsigned first_client = 100;   // the library's clients have the numbers before

std::string key(std::mt19937_64& random, const char* prefix) { return prefix + std::to_string(random() % keys_each); }

}  // namespace

testing::operation write(const etcd_process& member, unsigned client, const std::vector<std::string>& puts, const std::string& value,
    const std::vector<std::string>& deletes) {
    std::vector<std::pair<std::string, std::string>> pairs;
    txn what;
    for (const std::string& k : puts) {
        pairs.emplace_back(k, value);
        what.then(op::put(k, value));
    }
    for (const std::string& k : deletes) what.then(op::delete_range(key_range::key(k)));
    testing::operation o{client, op::txn(std::move(what)), clock::now(), {}, write_state::unknown, {}};
    try {
        // Shorter than etcd's own limit: an outcome may be unknown, a thread should not hang.
        txn_response said;
        said.header.revision = etcd_admin(member, 2s).change_all(pairs, deletes);
        said.succeeded = true;
        o.answer = op_response(std::move(said));
        o.state = write_state::executed;
    } catch (const std::exception&) {}
    o.returned = clock::now();
    return o;
}

soak_writers::soak_writers(etcd_cluster& cluster, unsigned threads, std::uint64_t seed) : cluster_(cluster), ended_(threads) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this, i, seed] { run(i, seed + i); });
}

void soak_writers::stop() {
    stop_ = true;
    for (std::thread& t : threads_)
        if (t.joinable()) t.join();
}

std::vector<testing::operation> soak_writers::take() {
    std::vector<testing::operation> all;
    for (auto& each : ended_) all.insert(all.end(), std::move_iterator(each.begin()), std::move_iterator(each.end()));
    ended_.clear();
    return all;
}

void soak_writers::run(unsigned number, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    std::size_t member = number % cluster_.size();
    for (std::uint64_t n = 0; !stop_; ++n) {
        std::set<std::string> puts{"soak/aa"}, deletes;
        const auto many = 3 + random() % 8;
        while (puts.size() < many) puts.insert(key(random, random() % 2 == 0 ? "soak/a/" : "soak/b/"));
        for (auto few = random() % 3; few > 0; --few)
            if (std::string k = key(random, "soak/a/"); !puts.contains(k)) deletes.insert(std::move(k));
        testing::operation o = write(cluster_[member], first_client + number, {puts.begin(), puts.end()},
            "w" + std::to_string(number) + "-" + std::to_string(n), {deletes.begin(), deletes.end()});
        const bool known = o.state == write_state::executed;
        if (known) {
            const std::int64_t r = std::get<txn_response>(*o.answer).header.revision;
            std::int64_t seen = revision_;
            while (seen < r && !revision_.compare_exchange_weak(seen, r)) {}
        } else {
            member = (member + 1) % cluster_.size();
        }
        ended_[number].push_back(std::move(o));
        std::this_thread::sleep_for(known ? 3ms : 50ms);   // as much as one machine can judge
    }
}

}  // namespace dynconf::test
