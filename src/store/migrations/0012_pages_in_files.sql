-- Pages that are read ahead lie in files beside the store. The table stays for processes of an older version that are at work.
DELETE FROM pages_ahead;
