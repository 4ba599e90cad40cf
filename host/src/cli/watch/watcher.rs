//! What the operating system tells of the places that are watched.

use std::sync::{Arc, Mutex, PoisonError, mpsc::Sender};

use anyhow::{Context, Result};
use notify::{
    EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};

use super::{Event, places::Places};

/// Sends [`Event::Changed`] for each piece of news that matters.
pub(super) struct Watcher {
    inner: RecommendedWatcher,
    places: Arc<Mutex<Places>>,
}

impl Watcher {
    pub(super) fn new(send: Sender<Event>) -> Result<Self> {
        let places = Arc::new(Mutex::new(Places::default()));
        let known = Arc::clone(&places);
        let tell = move |told: notify::Result<notify::Event>| {
            let known = known.lock().unwrap_or_else(PoisonError::into_inner);
            // What could not be told may have been anything.
            if told.is_err() || told.is_ok_and(|event| matters(&known, &event)) {
                // Where nobody listens any more, nobody has to know.
                let _ = send.send(Event::Changed);
            }
        };
        let inner = notify::recommended_watcher(tell).context(
            "changes of files are not told of by this machine; use cron and precedent check",
        )?;
        Ok(Self { inner, places })
    }

    /// Watches these places instead of those before. Gives back whether they are others, so that what
    /// changed in between must be looked for.
    pub(super) fn watch(&mut self, places: Places) -> bool {
        let before = {
            let mut known = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            if *known == places {
                return false;
            }
            std::mem::replace(&mut *known, places.clone())
        };
        let folders = places.folders();
        for gone in before.folders().difference(&folders) {
            // It may be gone in truth, and the watch with it.
            let _ = self.inner.unwatch(gone);
        }
        true
    }

    /// Watches every folder anew, which costs nothing where it is watched: a folder that was removed and
    /// made again, or another in its place, is another to the kernel. Gives back why one cannot be.
    pub(super) fn arm(&mut self) -> Option<String> {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut why = None;
        for folder in places.folders() {
            match self.inner.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                // Its own name is watched, in the folder above.
                Err(error) if is_absent(&error) => {}
                Err(error) => {
                    let error = match error.kind {
                        notify::ErrorKind::MaxFilesWatch => {
                            "the limit of watches is reached (sysctl fs.inotify.max_user_watches)"
                                .to_owned()
                        }
                        _ => error.to_string(),
                    };
                    why.get_or_insert_with(|| {
                        format!("changes in {} are not told of: {error}", folder.display())
                    });
                }
            }
        }
        why
    }
}

fn is_absent(error: &notify::Error) -> bool {
    match &error.kind {
        notify::ErrorKind::PathNotFound | notify::ErrorKind::WatchNotFound => true,
        notify::ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn matters(places: &Places, event: &notify::Event) -> bool {
    // Who only reads changes nothing; and we read ourselves, whenever we are told of something.
    let is_read = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    event.need_rescan() || (!is_read && event.paths.iter().any(|path| places.concern(path)))
}
