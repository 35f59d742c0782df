-- Pages that are read ahead lie in files beside the store.
DROP TABLE pages_ahead;
