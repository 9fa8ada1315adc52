//! Chromium and its driver, for the tests that use pages as a person does.

use super::{Component, debian};
use crate::command;

/// The browser.
pub(super) const CHROMIUM: Component = Component {
    name: "Chromium",
    variable: Some("AUTH_TEST_CHROMIUM"),
    find: |_| {
        command::which(&["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"])
            .ok_or_else(|| "no chromium in the PATH".to_owned())
    },
    install: |_| debian::install(&["chromium"]),
    by_hand: "apt-get install chromium, or set AUTH_TEST_CHROMIUM to the path of a Chromium or Chrome",
};

/// What steers it.
pub(super) const CHROMEDRIVER: Component = Component {
    name: "chromedriver",
    variable: Some("AUTH_TEST_CHROMEDRIVER"),
    find: |_| {
        command::which(&["chromedriver", "chromium.chromedriver"])
            .ok_or_else(|| "no chromedriver in the PATH".to_owned())
    },
    install: |_| debian::install(&["chromium-driver"]),
    by_hand: "apt-get install chromium-driver, or set AUTH_TEST_CHROMEDRIVER to the path of the \
              driver of that Chromium's version",
};
