#include <dynconf/txn.hpp>
#include <dynconf/types.hpp>

#include <algorithm>
#include <optional>

namespace dynconf {
namespace {

constexpr std::string_view no_end("\0", 1);

// The first key after the range; none when the range has no end.
std::optional<std::string> end_of(const key_range& r) {
    if (r.is_single_key()) return r.lowest() + '\0';
    if (r.range_end() == no_end) return std::nullopt;
    return r.range_end();
}

}  // namespace

key_range key_range::prefix(std::string prefix) {
    if (prefix.empty()) return all();
    std::string end = prefix;
    // 0xff has no successor: the byte before it carries.
    while (!end.empty() && end.back() == '\xff') end.pop_back();
    if (end.empty()) return from(std::move(prefix));
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return interval(std::move(prefix), std::move(end));
}

key_range key_range::interval(std::string first, std::string last) {
    if (!last.empty() && last != no_end) return raw(std::move(first), std::move(last));
    // These two ends would say something else to etcd. Before the second there is the empty key, in a view.
    if (first.empty() && last == no_end) return key({});
    const std::string nowhere(2, '\0');
    return raw(nowhere, nowhere);
}

key_range key_range::cover(const key_range& a, const key_range& b) {
    const auto end_a = end_of(a), end_b = end_of(b);
    if (end_a && *end_a <= a.first_) return b;   // holds no key
    if (end_b && *end_b <= b.first_) return a;
    const std::string& first = std::min(a.first_, b.first_);
    if (!end_a || !end_b) return from(first);
    const std::string& end = std::max(*end_a, *end_b);
    return end == first + '\0' ? key(first) : interval(first, end);
}

const std::string& key_range::first() const noexcept {
    static const std::string first_of_all(1, '\0');   // etcd has no empty key
    return first_.empty() && !is_single_key() ? first_of_all : first_;
}

bool key_range::contains(std::string_view key) const noexcept {
    if (is_single_key()) return key == first_;
    return key >= first_ && (range_end_ == no_end || key < range_end_);
}

key_range key_range::after(std::string_view key) const {
    std::string next = std::string(key) + '\0';
    if (is_single_key()) return interval(next, next);   // no key
    return raw(std::move(next), range_end_);
}

bool txn::read_only() const noexcept {
    const auto reads = [](const op& o) {
        const auto* inner = std::get_if<op::txn_op>(&o.what());
        return inner ? inner->what->read_only() : std::holds_alternative<op::range_op>(o.what());
    };
    return std::all_of(success_.begin(), success_.end(), reads) && std::all_of(failure_.begin(), failure_.end(), reads);
}

}  // namespace dynconf
