#pragma once

#include <dynconf/config/value.hpp>

#include <algorithm>
#include <concepts>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace dynconf {

/// A rule for a T beside its type, and the words that finish "expected ...". Called from any thread, so the predicate
/// must not change anything; one that throws refuses.
template <class T> class constraint {
public:
    constraint(std::string words, std::function<bool(const T&)> accepts)
        : words_(std::move(words)), accepts_(std::move(accepts)) {}

    /// A rule for one whole number type serves for another: what the rule's type cannot hold is refused.
    template <class U>
        requires(!std::same_as<T, U> && detail::whole_number<T> && detail::whole_number<U>)
    constraint(const constraint<U>& other)
        : words_(other.words()), accepts_([other](const T& n) {
              return std::in_range<U>(n) && other.accepts(static_cast<U>(n));
          }) {}

    bool accepts(const T& candidate) const {
        try {
            return accepts_(candidate);
        } catch (...) {
            return false;
        }
    }
    const std::string& words() const noexcept { return words_; }

private:
    std::string words_;
    std::function<bool(const T&)> accepts_;
};

/// lo <= x <= hi. Throws std::invalid_argument when nothing lies between.
template <class T> constraint<T> in_range(T lo, T hi) {
    if (!(lo <= hi)) throw std::invalid_argument("in_range: the lower bound is above the upper one");
    auto words = "from " + value(lo).to_text() + " to " + value(hi).to_text();
    return {std::move(words), [lo = std::move(lo), hi = std::move(hi)](const T& x) { return lo <= x && x <= hi; }};
}

/// x >= lo.
template <class T> constraint<T> at_least(T lo) {
    auto words = "at least " + value(lo).to_text();
    return {std::move(words), [lo = std::move(lo)](const T& x) { return lo <= x; }};
}

/// One of these, exactly. Throws std::invalid_argument when there are none.
template <class T> constraint<T> one_of(std::vector<T> choices) {
    if (choices.empty()) throw std::invalid_argument("one_of: no choices");
    std::string words = "one of";
    for (const auto& c : choices) words += (&c == &choices.front() ? " " : ", ") + value(c).to_text();
    return {std::move(words), [choices = std::move(choices)](const T& x) {
                return std::find(choices.begin(), choices.end(), x) != choices.end();
            }};
}

template <class T> constraint<T> one_of(std::initializer_list<T> choices) {
    return one_of(std::vector<T>(choices));
}

inline constraint<std::string> one_of(std::initializer_list<const char*> choices) {
    return one_of(std::vector<std::string>(choices.begin(), choices.end()));
}

/// Any rule; `words` finish "expected ...", as in satisfies<std::string>("an absolute path", is_absolute).
template <class T> constraint<T> satisfies(std::string words, std::function<bool(const T&)> accepts) {
    return {std::move(words), std::move(accepts)};
}

}  // namespace dynconf
