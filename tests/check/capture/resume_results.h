// SPDX-License-Identifier: LGPL-2.1-or-later
// What snd_pcm_resume() answers. The test PCM cannot say it: alsa-lib does not pass on what an I/O
// plugin's resume returns.
#pragma once

#include <cstddef>
#include <vector>

namespace jkvm::testing {

/// The next calls of snd_pcm_resume() in this process return these, and do nothing; those after
/// them are real.
void set_resume_results(const std::vector<int> &results);
std::size_t resume_results_left();

} // namespace jkvm::testing
