//! What the claims say, and when it is too late or too early.

use serde_json::{Value, json};

use super::*;

/// Where a JWT says whose it is: a request object is its client's.
fn whose(door: &Door) -> &'static str {
    if door.entry == Entry::Request { "iss" } else { "sub" }
}

blackbox! {
    async fn a_105_times_of_another_type(setup: Setup) {
        let house = House::open(setup).await;
        let times = [
            json!("9999999999"), json!("x"), json!([1]), json!({}), json!(true), json!(-1), json!(1e300),
            json!(-1e300), json!(u64::MAX), json!(i64::MIN),
        ];
        for door in house.doors.iter().filter(|door| door.entry != Entry::Hint) {
            for time in &times {
                house.assert_refused(door, &door.claiming("exp", time.clone(), &house.claims(door))).await;
            }
            for name in ["nbf", "iat"] {
                for time in [json!("x"), json!({}), json!(1e300)] {
                    let forged = door.claiming(name, time, &house.claims(door));
                    if door.entry != Entry::Access || name == "iat" {
                        house.assert_refused(door, &forged).await;
                    }
                }
            }
            house.assert_admitted(door, &house.good(door)).await;
        }
        // How old a hint is does not matter; whatever it says of that harms nobody.
        let hint = &house.doors[1];
        for time in times {
            house.assert_admitted(hint, &hint.claiming("exp", time, &house.claims(hint))).await;
        }
    }

    async fn a_106_claims_that_are_missing(setup: Setup) {
        let house = House::open(setup).await;
        let needed: [(Entry, &[&str]); 4] = [
            (Entry::Request, &["iss", "aud", "exp", "client_id", "redirect_uri"]),
            (Entry::Assertion, &["iss", "sub", "aud", "exp", "jti"]),
            (Entry::Hint, &["iss", "sub", "aud"]),
            (Entry::Access, &["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "gen"]),
        ];
        house
            .refuses(|door, claims| {
                let (_, names) = needed.iter().find(|(entry, _)| *entry == door.entry).unwrap();
                names.iter().map(|name| door.claiming(name, Value::Null, claims)).collect()
            })
            .await;
        let now = house.world.clock.now().as_secs();
        for door in [&house.doors[0], &house.doors[3]] {
            house.assert_refused(door, &door.claiming("exp", json!(now + 3601), &house.claims(door))).await;
        }
    }

    async fn a_107_for_somebody_else(setup: Setup) {
        let house = House::open(setup).await;
        let issuer = house.world.issuer.clone();
        for door in house.doors.iter().filter(|door| door.entry == Entry::Assertion) {
            for audience in [
                Value::Null, json!(""), json!([]), json!("https://other.example"), json!([issuer, "https://other.example"]),
                json!(format!("{issuer}/")), json!(issuer.to_uppercase()), json!({"0": issuer}),
            ] {
                house.assert_refused(door, &door.claiming("aud", audience, &house.claims(door))).await;
            }
            house.assert_admitted(door, &house.good(door)).await;
        }
        // A hint is for one client, an access token for a list of texts.
        let [_, hint, access, _] = &house.doors;
        for audience in [Value::Null, json!([]), json!(["web", "other"]), json!(7)] {
            house.assert_refused(hint, &hint.claiming("aud", audience, &house.claims(hint))).await;
        }
        let object = &house.doors[3];
        for audience in [Value::Null, json!([]), json!(["web", "other"]), json!(7), json!(format!("{issuer}/"))] {
            house.assert_refused(object, &object.claiming("aud", audience, &house.claims(object))).await;
        }
        for audience in [Value::Null, json!(7), json!({})] {
            house.assert_refused(access, &access.claiming("aud", audience, &house.claims(access))).await;
        }
        house.assert_admitted(access, &house.good(access)).await;
    }

    async fn a_108_one_jwt_in_place_of_another(setup: Setup) {
        let house = House::open(setup).await;
        for door in &house.doors {
            for other in house.doors.iter().filter(|other| other.entry != door.entry) {
                let foreign = house.good(other);
                house.assert_refused(door, &foreign).await;
                // Its claims by the right key, and its header over the right claims.
                house.assert_refused(door, &door.sign(&with(&other.header, "kid", door.header["kid"].clone()), &house.claims(other))).await;
            }
            house.assert_admitted(door, &house.good(door)).await;
        }
        // A type that is not the entry's own.
        let assertion = &house.doors[0];
        for typed in ["oauth-authz-req+jwt", "OAuth-Authz-Req+JWT"] {
            house.assert_refused(assertion, &assertion.headed("typ", json!(typed), &house.claims(assertion))).await;
        }
        let [_, hint, access, _] = &house.doors;
        for typ in ["at+jwt", "logout+jwt", "secevent+jwt", "jwt", "", "dpop+jwt"] {
            if typ != "at+jwt" {
                house.assert_refused(access, &access.headed("typ", json!(typ), &house.claims(access))).await;
            }
            house.assert_refused(hint, &hint.headed("typ", json!(typ), &house.claims(hint))).await;
        }
        for door in [hint, access] {
            house.assert_refused(door, &door.headed("typ", Value::Null, &house.claims(door))).await;
        }
    }

    async fn a_123_an_issuer_is_compared_byte_by_byte(setup: Setup) {
        let house = House::open(setup).await;
        let issuer = house.world.issuer.clone();
        house
            .refuses(|door, claims| {
                let like = |issuer: &str| {
                    [
                        format!("{issuer}/"), issuer.to_uppercase(), format!("{issuer}?"), format!(" {issuer}"),
                        issuer.replace("http:", "https:"), format!("{issuer}/tenant"), String::new(),
                    ]
                };
                let named = match door.entry {
                    Entry::Assertion => like("keyed").to_vec(),
                    Entry::Request => like("web").to_vec(),
                    _ => like(&issuer).to_vec(),
                };
                let mut forged: Vec<String> =
                    named.into_iter().filter(|name| claims["iss"] != **name).map(|name| door.claiming("iss", json!(name), claims)).collect();
                forged.push(door.claiming("iss", json!([claims["iss"]]), claims));
                forged
            })
            .await;
        // The same client at another provider.
        let other = House::open(setup).await;
        for (door, theirs) in house.doors.iter().zip(&other.doors) {
            house.assert_refused(door, &other.good(theirs)).await;
        }
    }

    async fn a_124_nobody_is_somebody(setup: Setup) {
        let house = House::open(setup).await;
        house
            .refuses(|door, claims| {
                let mut forged: Vec<String> = [json!(""), json!(" "), json!("*"), json!([]), json!(["u-alice"]), json!(0), json!({})]
                    .into_iter()
                    .map(|subject| door.claiming(whose(door), subject, claims))
                    .collect();
                forged.push(door.claiming(whose(door), json!("u-bob"), claims));
                forged
            })
            .await;
    }

    async fn a_125_clocks(setup: Setup) {
        let house = House::open(setup).await;
        let now = house.world.clock.now().as_secs();
        let door = &house.doors[0];
        for (name, good, bad) in [
            ("exp", now - 59, now - 61),
            ("nbf", now + 59, now + 62),
            ("iat", now + 59, now + 62),
        ] {
            house.assert_admitted(door, &door.claiming(name, json!(good), &house.claims(door))).await;
            house.assert_refused(door, &door.claiming(name, json!(bad), &house.claims(door))).await;
        }
        // Our own clock issued it, and judges it to the second.
        let access = &house.doors[2];
        house.assert_refused(access, &access.claiming("exp", json!(now - 1), &house.claims(access))).await;
        for year in [253_402_300_800_u64, u64::MAX / 1000, u64::MAX] {
            for door in [door, access] {
                let claims = house.claims(door);
                for name in ["exp", "iat", "nbf", "auth_time"] {
                    // Whatever it comes to, it is an answer.
                    house.admits(door, &door.claiming(name, json!(year), &claims)).await;
                }
            }
        }
    }
}
